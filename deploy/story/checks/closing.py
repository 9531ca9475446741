"""The checks at the end of every story, whatever its steps: rest, packets, mails, as-of, balance, digests."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from deploy.story.checks import (
    as_of_checks,
    balance,
    expectations,
    lost,
    mails,
    quiescence,
    second_look,
)
from deploy.story.checks.handed_over import handed_over, missing_facts, named_but_absent
from deploy.story.errors import StepFailed
from deploy.story.session import Session
from deploy.story.telling.report import Balance, Digests, FactsTold, PacketResult
from shared.streams import NOTIFY_SENDING

SETTLE_SECONDS = 15.0
REBUILD_SECONDS = 120.0
POLL_SECONDS = 0.05
MAY_WAIT = frozenset({NOTIFY_SENDING})
"""A provider that is away is waited for longer than a story."""


@dataclass(frozen=True, slots=True)
class Closing:
    """One check at the end. `check` raises StepFailed; `of_each`: for every tenant of the story by itself."""

    kind: str
    check: Callable[[Session], Awaitable[None]]
    of_each: bool = True


async def _at_rest(session: Session) -> None:
    """The services have done what they were given. From here on every query is asked about the whole ledger."""
    busy = await quiescence.until_at_rest(session.asker.bus)
    ledger = await session.read_ledger()
    session.asker.position = max(session.asker.position, ledger.position)
    if session.stack.own and set(busy) - MAY_WAIT:
        raise StepFailed("rest.not_reached", "something is never finished", wanted=[], got=busy)


async def _packets(session: Session) -> None:
    """Every packet is in LEDGER with its own hash, and holds every fact told before it was given."""
    ledger = await session.read_ledger()
    report = session.report
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


async def _mails(session: Session) -> None:
    """No message arrived twice, and none that nobody sent."""
    ledgers = [await each.read_ledger() for each in session.all]
    session.report.mails = mails.arrived(session.sink.mails)
    session.report.messages = mails.outcomes(ledgers)
    session.report.arrived = mails.taken(session.apis.arrived)
    mails.check_sent_once(session.sink.mails, session.apis.arrived, session.report.messages)


async def _timelines(session: Session) -> None:
    """History shows every conversation of the story in ledger order."""
    ledger = await session.read_ledger()
    for entry in ledger.of_type("conversation.opened"):
        conversation = entry.conversation or ""
        rows = await expectations.timeline_rows(
            session, conversation, time.monotonic() + SETTLE_SECONDS
        )
        sequences = [row["sequence"] for row in rows]
        if not rows or sequences != sorted(set(sequences)):
            raise StepFailed("timeline.order", "a timeline is not in ledger order", got=sequences)


async def _as_of(session: Session) -> None:
    for seen in session.seen:
        await as_of_checks.look_back_again(session, seen)


async def _digests(session: Session) -> None:
    """The digest of history's rows is that of a rebuild from the ledger."""
    deadline = time.monotonic() + REBUILD_SECONDS
    answer = await session.asker.operate("history", "rebuild", deadline)
    if "error" in answer:
        raise StepFailed("digest.not_rebuilt", "history refused to rebuild", got=answer["error"])
    session.report.digests = Digests(live=answer["live"], rebuilt=answer["rebuilt"])
    if answer["live"] != answer["rebuilt"]:
        raise StepFailed(
            "digest.mismatch",
            "the rows of history are not what the ledger says",
            wanted=answer["rebuilt"],
            got=answer["live"],
        )


async def _balance(session: Session) -> None:
    """Every delivery that was received is accounted for, and RAW parsed again says the same."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        got = await balance.balance_of(session, deadline)
        session.report.balance = Balance(**{name: got[name] for name in balance.COUNTERS})
        lost = got["received"] - sum(got[name] for name in balance.COUNTERS if name != "received")
        if not (lost or got["missing"] or got["parked"]):
            break
        if time.monotonic() > deadline:
            raise StepFailed("balance.mismatch", "deliveries are not accounted for", got=got)
        await asyncio.sleep(POLL_SECONDS)
    unproved = await balance.unproved(session, deadline) if session.stack.own else {}
    if unproved:
        raise StepFailed("balance.unproved", "RAW parsed again says otherwise", got=unproved)


async def _missed(session: Session) -> None:
    """It is known what became of every contact that nobody took."""
    await lost.check_accounted_for(session, SETTLE_SECONDS)


CLOSINGS: tuple[Closing, ...] = (
    Closing("at_rest", _at_rest),
    Closing("packets", _packets),
    Closing("mails", _mails, of_each=False),
    Closing("still_met", second_look.look_again),
    Closing("timeline", _timelines),
    Closing("as_of", _as_of),
    Closing("missed", _missed),
    Closing("balance", _balance),
    Closing("digests", _digests, of_each=False),
)
