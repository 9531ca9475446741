"""What NATS's chart makes of the values in deploy/k8s, as far as a server reads it."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.k8s.rendered import FOLDER

RAW = re.compile(r'"<< (.+?) >>"')
INCLUDED = re.compile(r'"zzz\$include": "(.+?)",?')
"""What the chart writes as no JSON: the server's own units, and files beside."""


def laid_over(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Lay values over others as helm does: maps are merged, all else is replaced."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            merged[key] = laid_over(below, value)
        else:
            merged[key] = value
    return merged


def values(overlay: str) -> dict[str, Any]:
    """Return what the chart is given for an overlay."""
    files = (FOLDER / "base" / "nats.yaml", FOLDER / "overlays" / overlay / "nats.yaml")
    first, second = (yaml.safe_load(each.read_text()) for each in files)
    return laid_over(first, second)


def server_config(
    overlay: str, folder: Path, port: int = 4222, certificates: Path | None = None
) -> str:
    """Return the configuration that the chart makes of the values (helm/charts/nats/files/config).

    `certificates`: the folder of the certificate that it shows to clients, if it does.
    """
    given = values(overlay)["config"]
    stream, cluster = given["jetstream"], given.get("cluster", {"enabled": False})
    config: dict[str, Any] = {
        "server_name": "nats-0",
        "port": port,
        "jetstream": {
            "store_dir": str(folder / "data"),
            "max_file_store": f"<< {stream['fileStore']['maxSize']} >>",
            **stream["merge"],
        },
        **given["merge"],
    }
    if cluster["enabled"]:
        nodes = [
            f"nats://nats-{number}.nats-headless:6222" for number in range(cluster["replicas"])
        ]
        config["cluster"] = {"name": "nats", "port": 6222, "routes": nodes}
    if certificates is not None and given["nats"]["tls"]["enabled"]:
        files = {"cert_file": "tls.crt", "key_file": "tls.key", "ca_file": "ca.crt"}
        config["tls"] = {key: str(certificates / name) for key, name in files.items()}
    text = json.dumps(config, indent=1, sort_keys=True)
    return RAW.sub(r"\1", INCLUDED.sub(r"include \1;", text))
