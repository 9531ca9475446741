"""The way from an empty cluster leads to everything that the manifests only name."""

import re
from urllib.parse import urlsplit

import pytest

from tests.k8s.rendered import OVERLAYS, ROOT, Object, objects, pods, settings_of, sources

MADE_BY_OPERATORS = {"postgres-app", "postgres-ca"}
HOW_TO = ROOT / "docs" / "how-to" / "run-on-kubernetes.md"


def named(pod: Object) -> set[str]:
    """Return the config maps and secrets that a pod needs, as `configmap NAME` and `secret NAME`."""
    volumes = pod["spec"]["volumes"]
    return {f"{kind} {name}" for each in volumes for kind, name, _ in sources(each)}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_way_makes_all_that_is_only_named(overlay: str) -> None:
    """What nobody makes would keep a pod from starting, without a word in any log."""
    text = HOW_TO.read_text()
    made = {
        f"{kind} {name}"
        for kind, name in re.findall(r"kubectl create (configmap|secret generic) ([\w$-]+)", text)
    }
    made = {each.replace("generic ", "") for each in made}
    (users,) = re.findall(r"for user in ([\w ]+); do", text)
    made |= {f"secret nats-{user}" for user in users.split()}
    made |= {f"secret {each['spec']['secretName']}" for each in objects(overlay, "Certificate")}
    made |= {f"secret {name}" for name in MADE_BY_OPERATORS}
    needed = {each for pod in pods(overlay).values() for each in named(pod)}
    assert needed | {"secret nats-users"} <= made


def test_the_story_is_where_the_settings_have_it() -> None:
    """Its mail boxes and the doors it calls have the names that the small cluster uses."""
    services = {each["metadata"]["name"] for each in objects("dev", "Service")}
    given = settings_of("dev")
    hosts = {
        urlsplit(given[name]).hostname for name in ("TELLONCE_SMTP_URL", "TELLONCE_PUBLIC_URL")
    }
    assert hosts <= services
    assert f"--against {given['TELLONCE_PUBLIC_URL']}" in HOW_TO.read_text()
