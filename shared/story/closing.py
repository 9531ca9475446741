"""What is checked at the end of every story, whatever it says: packets, as-of, digests, balance."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from shared.story.errors import StepFailed
from shared.story.expectations import timeline_rows
from shared.story.handed_over import handed_over, missing_facts, named_but_absent
from shared.story.hindsight import look_back_again
from shared.story.report import Balance, Digests, FactsTold, PacketResult
from shared.story.stage import Stage

SETTLE_SECONDS = 15.0
REBUILD_SECONDS = 60.0
POLL_SECONDS = 0.05
BALANCE_PARTS = ("accepted", "duplicate", "ignored", "quarantined")


@dataclass(frozen=True, slots=True)
class Closing:
    """One check at the end. `check` raises StepFailed."""

    kind: str
    check: Callable[[Stage], Awaitable[None]]


async def _packets(stage: Stage) -> None:
    """Every packet is in LEDGER with its own hash, and holds every fact told before it was given."""
    ledger = await stage.read_ledger()
    report = stage.report
    report.position = ledger.position
    report.facts = FactsTold(stated=sum(1 for _ in ledger.of_type("fact.stated")))
    report.repeats = sum(1 for _ in ledger.of_type("fact.repeated"))
    given = handed_over(ledger)
    report.packets = [
        PacketResult(
            packet_id=each.packet.packet_id,
            to=each.to,
            sha256=each.packet.sha256,
            facts=len(each.packet.packet["facts"]),
            missing=missing_facts(ledger, each),
        )
        for each in given
    ]
    absent = named_but_absent(ledger)
    if absent:
        raise StepFailed("packet.absent", "an event names a packet that LEDGER lacks", got=absent)
    for each in given:
        if each.packet.sha256 != each.packet.claimed_sha256:
            wanted, got = each.packet.claimed_sha256, each.packet.sha256
            raise StepFailed("packet.sha256", "a packet is not its hash", wanted=wanted, got=got)
    lacking = {each.packet_id: each.missing for each in report.packets if each.missing}
    if lacking:
        raise StepFailed("packet.fact_missing", "a packet lacks a fact", wanted={}, got=lacking)


async def _timelines(stage: Stage) -> None:
    """History shows every conversation of the story in ledger order."""
    ledger = await stage.read_ledger()
    for entry in ledger.of_type("conversation.opened"):
        conversation = entry.conversation or ""
        rows = await timeline_rows(stage, conversation, time.monotonic() + SETTLE_SECONDS)
        sequences = [row["sequence"] for row in rows]
        if not rows or sequences != sorted(set(sequences)):
            raise StepFailed("timeline.order", "a timeline is not in ledger order", got=sequences)


async def _as_of(stage: Stage) -> None:
    for seen in stage.seen:
        await look_back_again(stage, seen)


async def _digests(stage: Stage) -> None:
    """The digest of history's rows is that of a rebuild from the ledger."""
    deadline = time.monotonic() + REBUILD_SECONDS
    answer = await stage.asker.operate("history", "rebuild", deadline)
    if "error" in answer:
        raise StepFailed("digest.not_rebuilt", "history refused to rebuild", got=answer["error"])
    stage.report.digests = Digests(live=answer["live"], rebuilt=answer["rebuilt"])
    if answer["live"] != answer["rebuilt"]:
        raise StepFailed(
            "digest.mismatch",
            "the rows of history are not what the ledger says",
            wanted=answer["rebuilt"],
            got=answer["live"],
        )


async def _balance(stage: Stage) -> None:
    """Every delivery that was received is accounted for."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        got: dict[str, Any] = await stage.asker.query("balance", {}, deadline)
        numbers = {name: int(got.get(name, 0)) for name in ("received", *BALANCE_PARTS)}
        stage.report.balance = Balance(**numbers)
        lost = numbers["received"] - sum(numbers[name] for name in BALANCE_PARTS)
        if lost == 0 and not got.get("missing"):
            return
        if time.monotonic() > deadline:
            raise StepFailed("balance.mismatch", "deliveries are not accounted for", got=got)
        await asyncio.sleep(POLL_SECONDS)


CLOSINGS: tuple[Closing, ...] = (
    Closing("packets", _packets),
    Closing("timeline", _timelines),
    Closing("as_of", _as_of),
    Closing("balance", _balance),
    Closing("digests", _digests),
)
