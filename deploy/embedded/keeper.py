"""Mends what no restart of a service mends: a consumer that is gone, and a server that has given up a stream.

nats-server 2.15 stops storing in a stream for good once its disk was full; `/healthz` of its monitoring says so.
It is started again when there is room again, not before: on a full disk it would only fail anew.
"""

import asyncio
import contextlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded import errors, probes, supervisor
from shared.bus_address import BusAddress

LOOK_SECONDS = 1.0
ROOM_BYTES = 8 * 1024 * 1024
"""So much free space is room again."""
GIVEN_UP = ("write error", "not enabled", "disabled")
"""What the server's health says of a stream, or of all of JetStream, that only a new start brings back."""
DRIFT = "stream.drift"


@dataclass(frozen=True, kw_only=True)
class Server:
    """The NATS server of the stack: its data, where its monitoring answers, and its supervision."""

    folder: Path
    monitor: str
    kept: supervisor.Supervised


async def keep_mended(
    bus: BusAddress, services: Sequence[str], mend_streams: supervisor.Mend, server: Server | None
) -> None:
    """Look until cancelled. `server`: none when it was given from outside."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        with contextlib.suppress(errors.SetupError, OSError):
            if server is not None and await given_up(server.monitor) and has_room(server.folder):
                await server.kept.restart()
            elif await _drifted(bus, services):
                await mend_streams()


async def given_up(monitor: str) -> bool:
    """Whether the server has stopped storing, in a stream or at all, and says so."""
    status, body = await probes.http_get(monitor, "/healthz")
    with contextlib.suppress(ValueError):
        said = str(json.loads(body).get("error", "")) if status >= probes.HTTP_REFUSED else ""
        return any(words in said for words in GIVEN_UP)
    return False


def has_room(folder: Path) -> bool:
    """Whether a server would find room for its data again."""
    return shutil.disk_usage(folder).free >= ROOM_BYTES


async def _drifted(bus: BusAddress, services: Sequence[str]) -> bool:
    """Whether a service that goes on says that a stream or consumer of a part of its work is not as it must be."""
    found = await asyncio.gather(*(probes.health(bus, name) for name in services))
    return any(
        trouble["code"] == DRIFT for health in found if health for trouble in health["troubles"]
    )
