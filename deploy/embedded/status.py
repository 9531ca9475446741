"""How the stack of a data folder is, or services without one, asked of the services themselves."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from deploy.embedded import postgres, probes, state
from shared import SERVICES
from shared.bus_address import BusAddress

SERVERS = ("nats", "postgres")
NO_ANSWER = "does not answer"
ATTEMPTS = 3
"""So often a part is asked before it counts as silent: on a busy machine one answer takes longer than a probe waits."""


async def examine(folder: Path) -> state.Status:
    """What the stack wrote of itself, corrected by what its servers and services answer now."""
    found = state.read_status(folder)
    if "nats" not in found.addresses:
        return found
    asked = await _asked(found, state.bus_address(folder, found), _services(found))
    return replace(asked, free_bytes=_free_bytes(folder))


async def examine_services(bus: BusAddress) -> state.Status:
    """How the services are that run on their own beside a server; `stopped` where none of them answers."""
    known = state.Status(state="ready", addresses={"nats": bus.url})
    found = await _asked(known, bus, SERVICES)
    is_gone = all(NO_ANSWER in found.troubles.get(name, ()) for name in SERVICES)
    return state.Status() if is_gone else found


async def _asked(found: state.Status, bus: BusAddress, services: Sequence[str]) -> state.Status:
    """A status, corrected by what those services answer now, and Postgres where it is known."""
    silent, position, healths = await asyncio.gather(
        _silent(found, bus, services),
        probes.ledger_position(bus),
        asyncio.gather(*(probes.health(bus, name) for name in services)),
    )
    troubles = {name: [NO_ANSWER] for name in silent} | {
        name: [f"{each['code']} {each['about']}".strip() for each in health["troubles"]]
        for name, health in zip(services, healths, strict=True)
        if health and health["troubles"]
    }
    waiting = {
        name: each for health in healths if health for name, each in health["backlog"].items()
    }
    if troubles and found.state == "ready":
        found = replace(found, state="degraded")
    return replace(found, position=position, troubles=troubles, waiting=waiting)


def _free_bytes(folder: Path) -> dict[str, int]:
    """The room on the disk under the data of each server that keeps it here."""
    places = {name: folder / name for name in SERVERS}
    return {name: shutil.disk_usage(place).free for name, place in places.items() if place.exists()}


def _services(found: state.Status) -> list[str]:
    return [name for name in found.pids if name not in SERVERS]


async def silent_parts(folder: Path, found: state.Status) -> list[str]:
    """The names of the programs that do not answer now, asked ATTEMPTS times each."""
    return await _silent(found, state.bus_address(folder, found), _services(found))


async def _silent(found: state.Status, bus: BusAddress, services: Sequence[str]) -> list[str]:
    dsn = found.addresses.get("postgres")
    asked = {name: partial(probes.service_answers, bus, name) for name in services}
    if dsn is not None:
        asked = {"postgres": partial(postgres.answers, dsn), **asked}
    answers = await asyncio.gather(*map(_answers, asked.values()))
    return [name for name, answered in zip(asked, answers, strict=True) if not answered]


async def _answers(ask: Callable[[], Awaitable[bool]]) -> bool:
    for _ in range(ATTEMPTS):
        if await ask():
            return True
    return False
