"""The values for NATS's chart give a server that takes them, and that is as the one on one machine."""

import subprocess
from pathlib import Path

import pytest

from deploy.embedded import binaries, nats
from shared import settings
from tests.k8s.nats_chart import server_config, values
from tests.k8s.rendered import OVERLAYS, objects, settings_of

USERS = '{"accounts": {"TELLONCE": {"jetstream": "enabled", "users": []}}}'
in_each_overlay = pytest.mark.parametrize("overlay", OVERLAYS)


@in_each_overlay
def test_the_server_takes_what_the_values_make(overlay: str, tmp_path: Path) -> None:
    """With the accounts in a file beside, as the secret is mounted."""
    for name in ("nats-config", "nats-users"):
        (tmp_path / name).mkdir()
    (tmp_path / "nats-users" / "users.conf").write_text(USERS)
    config = tmp_path / "nats-config" / "nats.conf"
    config.write_text(server_config(overlay, tmp_path))
    said = subprocess.run(
        [str(binaries.nats_server()), "--config", str(config), "-t"],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert said.returncode == 0, said.stderr


@in_each_overlay
def test_it_is_as_the_server_on_one_machine(overlay: str) -> None:
    """What is acknowledged is on the disk, messages may be as large, and the version is the one that was tried."""
    given = values(overlay)
    embedded = nats.config_text("nats", Path("data"), nats.NodePorts(client=1, monitor=2, route=3))
    assert (
        f'"sync_interval": "{given["config"]["jetstream"]["merge"]["sync_interval"]}"' in embedded
    )
    payload = f"<< {nats.MAX_PAYLOAD_BYTES // 1024**2}MB >>"
    assert given["config"]["merge"]["max_payload"] == payload
    version = ".".join(map(str, binaries.version(binaries.nats_server())))
    assert given["container"]["image"]["tag"].startswith(version)


@in_each_overlay
def test_every_name_of_the_bus_is_in_its_certificate(overlay: str) -> None:
    """A name that is missing there is a server that nobody believes."""
    (names,) = [
        each["spec"]["dnsNames"]
        for each in objects(overlay, "Certificate")
        if each["metadata"]["name"] == "nats-tls"
    ]
    urls = settings.load(settings_of(overlay)).nats_url.split(",")
    assert {url.removeprefix("tls://").removesuffix(":4222") for url in urls} <= set(names)


@in_each_overlay
def test_streams_have_as_many_copies_as_there_are_nodes(overlay: str) -> None:
    """Fewer would be lost with a node, more are not placed."""
    cluster = values(overlay)["config"].get("cluster", {"replicas": 1})
    assert settings.load(settings_of(overlay)).replicas == cluster["replicas"]


@in_each_overlay
def test_every_container_of_it_is_confined(overlay: str) -> None:
    """As ours are; the namespace takes no other."""
    given = values(overlay)
    for name in ("container", "reloader", "promExporter"):
        confined = given[name]["merge"]["securityContext"]
        assert confined["capabilities"] == {"drop": ["ALL"]}
        assert confined["readOnlyRootFilesystem"] is True
        assert set(given[name]["merge"]["resources"]["requests"]) == {"cpu", "memory"}
    assert given["podTemplate"]["merge"]["spec"]["securityContext"]["runAsNonRoot"] is True
