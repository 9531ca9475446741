"""How the stack of a data folder is, asked of the services themselves."""

import asyncio
from dataclasses import replace
from pathlib import Path

from deploy.embedded import postgres, probes, state


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
    """The names of the programs that do not answer now."""
    nats_url = found.addresses["nats"]
    services = [name for name in found.pids if name not in {"nats", "postgres"}]
    answers = await asyncio.gather(
        postgres.answers(found.addresses["postgres"]),
        *(probes.service_answers(nats_url, name) for name in services),
    )
    return [
        name
        for name, answered in zip(["postgres", *services], answers, strict=True)
        if not answered
    ]
