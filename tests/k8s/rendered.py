"""The objects of an overlay, as kubectl renders them."""

import functools
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "k8s"
OVERLAYS = ("dev", "prod")
SERVICES = sorted(each.parent.name for each in (ROOT / "services").glob("*/__main__.py"))
USERS = {**{name: name for name in SERVICES}, "bootstrap": "bootstrap", "tools": "operator"}
"""As whom each process speaks on the bus."""
KUSTOMIZE_SINCE = 5

Object = Mapping[str, Any]


def objects(overlay: str, kind: str = "") -> list[Object]:
    """Return all objects of an overlay, or those of a kind."""
    return [each for each in _rendered(overlay) if kind in {"", each["kind"]}]


def settings_of(overlay: str) -> Mapping[str, str]:
    """Return the variables that every process of an overlay is given."""
    (found,) = objects(overlay, "ConfigMap")
    data: Mapping[str, str] = found["data"]
    return data


def pods(overlay: str) -> Mapping[str, Object]:
    """Return what each of our pods is made of, by the name of its deployment or job."""
    deployments = {
        each["metadata"]["name"]: each["spec"] for each in objects(overlay, "Deployment")
    }
    jobs = {
        each["metadata"]["name"]: each["spec"]["jobTemplate"]["spec"]
        for each in objects(overlay, "CronJob")
    }
    return {name: spec["template"] for name, spec in {**deployments, **jobs}.items()}


def container(pod: Object) -> Object:
    """Return the one container of a pod."""
    (found,) = pod["spec"]["containers"]
    assert isinstance(found, Mapping)
    return found


def sources(volume: Object) -> Iterator[tuple[str, str, Sequence[Object]]]:
    """Yield what a volume is made of: kind, name, and which keys by which name, of which none means all."""
    if "configMap" in volume:
        yield "configmap", volume["configMap"]["name"], volume["configMap"].get("items", ())
    if "secret" in volume:
        yield "secret", volume["secret"]["secretName"], volume["secret"].get("items", ())
    for each in volume.get("projected", {}).get("sources", ()):
        yield "secret", each["secret"]["name"], each["secret"]["items"]


@functools.cache
def _rendered(overlay: str) -> tuple[Object, ...]:
    _need_kubectl()
    said = subprocess.run(
        ["kubectl", "kustomize", str(FOLDER / "overlays" / overlay)],
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )
    return tuple(yaml.safe_load_all(said.stdout))


@functools.cache
def _need_kubectl() -> None:
    """Skip where no kubectl is, or one whose kustomize is too old: it ships with the binary."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    said = subprocess.run(
        ["kubectl", "version", "--client"], capture_output=True, check=False, text=True, timeout=60
    )
    found = re.search(r"Kustomize Version: v(\d+)", said.stdout)
    if found is None or int(found[1]) < KUSTOMIZE_SINCE:
        pytest.skip(f"kubectl has no kustomize {KUSTOMIZE_SINCE}")
