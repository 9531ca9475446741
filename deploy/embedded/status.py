"""How the stack of a data folder is, asked of the services themselves."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from deploy.embedded import postgres, probes, state

ATTEMPTS = 3
"""So often a part is asked before it counts as silent: on a busy machine one answer takes longer than a probe waits."""


async def examine(folder: Path) -> state.Status:
    """What the stack wrote of itself, corrected by what its servers and services answer now."""
    found = state.read_status(folder)
    if "nats" not in found.addresses:
        return found
    silent, position = await asyncio.gather(
        silent_parts(found), probes.ledger_position(found.addresses["nats"])
    )
    if silent and found.state == "ready":
        found = replace(found, state="degraded")
    return replace(found, position=position)


async def silent_parts(found: state.Status) -> list[str]:
    """The names of the programs that do not answer now, asked ATTEMPTS times each."""
    nats_url = found.addresses["nats"]
    services = [name for name in found.pids if name not in {"nats", "postgres"}]
    answers = await asyncio.gather(
        _answers(partial(postgres.answers, found.addresses["postgres"])),
        *(_answers(partial(probes.service_answers, nats_url, name)) for name in services),
    )
    return [
        name
        for name, answered in zip(["postgres", *services], answers, strict=True)
        if not answered
    ]


async def _answers(ask: Callable[[], Awaitable[bool]]) -> bool:
    for _ in range(ATTEMPTS):
        if await ask():
            return True
    return False
