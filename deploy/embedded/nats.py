"""nats-server with JetStream on loopback, as one node or as one of a cluster.

Always with `sync_interval: always`: an acknowledged message is on the disk. Ports and data stay over a restart.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy import bus_users, rights
from deploy.embedded import binaries, process, wire
from deploy.embedded.ports import LOOPBACK, free_ports
from shared.bus_address import BusAddress

MAX_PAYLOAD_BYTES = 1024 * 1024
MAX_FILE_STORE_BYTES = 64 * 1024 * 1024 * 1024
MEMORY_LIMIT = "1GiB"
PROBE_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class NodePorts:
    """The ports of one node: clients, monitoring over HTTP, routes to other nodes."""

    client: int
    monitor: int
    route: int

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"nats://{LOOPBACK}:{self.client}"

    @property
    def monitor_url(self) -> str:
        """Where the server's monitoring answers (`/healthz`)."""
        return f"http://{LOOPBACK}:{self.monitor}"


def choose_ports(count: int = 1) -> list[NodePorts]:
    """Free ports for `count` nodes. Raises: NoFreePort."""
    ports = iter(free_ports(3 * count))
    return [
        NodePorts(client=a, monitor=b, route=c) for a, b, c in zip(ports, ports, ports, strict=True)
    ]


def config_text(
    name: str,
    store: Path,
    ports: NodePorts,
    cluster: Sequence[NodePorts] = (),
    users: str = "",
) -> str:
    """The server's configuration; `cluster` names every node's ports, ours included, or is empty.

    `users`: the file that `bus_users.make` makes, seen from the configuration; without, everybody may do everything.
    """
    settings: dict[str, object] = {
        "server_name": name,
        "listen": f"{LOOPBACK}:{ports.client}",
        "http": f"{LOOPBACK}:{ports.monitor}",
        "max_payload": MAX_PAYLOAD_BYTES,
        "jetstream": {
            "store_dir": str(store),
            "sync_interval": "always",
            "max_file_store": MAX_FILE_STORE_BYTES,
        },
    }
    if cluster:
        settings["cluster"] = {
            "name": "tellonce",
            "listen": f"{LOOPBACK}:{ports.route}",
            "routes": [f"nats://{LOOPBACK}:{node.route}" for node in cluster],
        }
    # A value is as the server reads it when it is JSON.
    lines = [f"{name}: {json.dumps(value, indent=2)}" for name, value in settings.items()]
    return "\n".join([*lines, *([f"include {json.dumps(users)}"] if users else [])]) + "\n"


def nats_program(
    folder: Path,
    ports: NodePorts,
    *,
    log_path: Path | None = None,
    name: str | None = None,
    cluster: Sequence[NodePorts] = (),
    users: Path | None = None,
) -> process.Program:
    """The server that keeps its data in `folder`. Raises: BinaryMissing.

    `name` is the server's own; without one it is made of the folder, so that two servers that were
    given one port are told apart. `users`: the folder of its users, as `bus_users.make` makes it; none: anybody.
    """
    folder = folder.absolute()
    name = name or f"nats-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]}"
    config = folder / "nats.conf"

    def write_config() -> None:
        folder.mkdir(parents=True, exist_ok=True)
        included = os.path.relpath(users / bus_users.CONFIG, folder) if users else ""
        config.write_text(config_text(name, folder / "jetstream", ports, cluster, included))

    async def ready() -> bool:
        seed = str(bus_users.seed_file(users, rights.OPERATOR)) if users else ""
        return await answers(BusAddress(url=ports.url, seed_file=seed), name)

    return process.Program(
        name="nats",
        argv=(str(binaries.nats_server()), "--config", str(config)),
        env={"GOMEMLIMIT": MEMORY_LIMIT},
        log_path=log_path or folder / "nats.log",
        before_start=write_config,
        ready=ready,
    )


async def answers(bus: BusAddress, name: str) -> bool:
    """Whether JetStream answers there and the server has this name."""
    try:
        if (await wire.greeting(bus, timeout_seconds=PROBE_SECONDS)).get("server_name") != name:
            return False
        reply = await wire.request(bus, "$JS.API.INFO", timeout_seconds=PROBE_SECONDS)
    except wire.NotReached:
        return False
    return "error" not in json.loads(reply)
