"""Checks expectations: each compares literals of the story with what people saw, until met or its time is over."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from deploy.story.checks import balance, comparing, lost
from deploy.story.checks.handed_over import handed_over
from deploy.story.errors import StepFailed
from deploy.story.file import model
from deploy.story.file.durations import seconds
from deploy.story.session import Session

POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Finding:
    """One comparison. `code`: `None` when it is met, else the named failure."""

    code: str | None
    wanted: Any
    got: Any


MET = Finding(None, None, None)


async def check(session: Session, wanted: model.Expect) -> Finding:
    """Return the first finding that meets the expectation, or the last one when its time is over.

    An answer that was given does not change any more, so it is looked at once.
    """
    deadline = time.monotonic() + seconds(wanted.within)
    while True:
        finding = await look(session, wanted)
        if finding.code is None or is_of_an_answer(wanted) or time.monotonic() > deadline:
            return finding
        await asyncio.sleep(POLL_SECONDS)


def is_of_an_answer(wanted: model.Expect) -> bool:
    return isinstance(wanted, model.ExpectReply | model.ExpectError)


async def look(session: Session, wanted: model.Expect) -> Finding:
    """Look once."""
    return await LOOKS[type(wanted)](session, wanted)


def _deadline(wanted: model.Expect) -> float:
    return time.monotonic() + max(1.0, seconds(wanted.within))


async def _packet(session: Session, wanted: model.ExpectPacket) -> Finding:
    given = [
        each
        for each in handed_over(await session.read_ledger())
        if each.to == wanted.to and wanted.when in (None, each.how)
    ]
    if not given:
        return Finding("expect.packet_absent", f"a packet for {wanted.to}", None)
    packet = given[-1].packet
    if packet.sha256 != packet.claimed_sha256:
        return Finding("expect.packet_sha256", packet.claimed_sha256, packet.sha256)
    return _first(comparing.packet_differences(wanted, packet.packet))


async def _owner(session: Session, wanted: model.ExpectOwner) -> Finding:
    found = await _conversation(session, wanted)
    if found is None:
        return Finding("expect.owner_conversation_absent", "a conversation", None)
    return _first(comparing.owner_differences(wanted, found))


async def _timeline(session: Session, wanted: model.ExpectTimeline) -> Finding:
    conversation = await _conversation_id(session, wanted)
    rows: list[dict[str, Any]] = []
    if conversation is not None:
        rows = await timeline_rows(session, conversation, _deadline(wanted))
    opened = sum(1 for _ in (await session.read_ledger()).of_type("conversation.opened"))
    return _first(comparing.timeline_differences(wanted, [row["type"] for row in rows], opened))


async def timeline_rows(
    session: Session, conversation: str, deadline: float
) -> list[dict[str, Any]]:
    """Return all rows of a conversation's timeline, page by page."""
    rows: list[dict[str, Any]] = []
    asked: dict[str, Any] = {"conversation": conversation}
    while True:
        answer = await session.asker.query("timeline", asked, deadline)
        rows += answer.get("rows", [])
        if not answer.get("next"):
            return rows
        asked = {"conversation": conversation, "after": answer["next"]}


async def _notification(session: Session, wanted: model.ExpectNotification) -> Finding:
    ledger = await session.read_ledger()
    asked = [
        each.open
        for each in ledger.of_type("notification.requested")
        if each.open["recipient"] == wanted.to and wanted.reason in (None, each.open["reason"])
    ]
    reached = {
        each.open["notification_id"] for each in ledger.of_type(f"notification.{wanted.state}")
    }
    got = sum(each["notification_id"] in reached for each in asked)
    least = wanted.count if wanted.count is not None else 1
    met = got == least if wanted.count is not None else got >= least
    return MET if met else Finding("expect.notification", least, got)


async def _promise(session: Session, wanted: model.ExpectPromise) -> Finding:
    found = await _conversation(session, wanted) or {}
    promises = comparing.as_list(found.get("promises", []))
    fit = [each for each in promises if comparing.promise_fits(wanted, each)]
    return _counted("expect.promise", wanted.count, fit, promises)


async def _callback(session: Session, wanted: model.ExpectCallback) -> Finding:
    found = await _conversation(session, wanted) or {}
    callbacks = comparing.as_list(found.get("callbacks", []))
    fit = [each for each in callbacks if comparing.callback_fits(wanted, each)]
    return _counted("expect.callback", wanted.count, fit, callbacks)


async def _missed(session: Session, wanted: model.ExpectMissed) -> Finding:
    found = await _conversation_id(session, wanted)
    mine = [
        each
        for each in await lost.contacts(session, _deadline(wanted))
        if each["conversation"] == found
    ]
    fit = [each for each in mine if comparing.lost_fits(wanted, each)]
    return _counted("expect.missed", wanted.count, fit, mine)


async def _reply(session: Session, wanted: model.ExpectReply) -> Finding:
    answers = session.answers
    if wanted.count is not None:
        fit = [each for each in answers if comparing.reply_difference(wanted, each) is None]
        shown = [each.code or each.status for each in answers]
        return _counted("expect.reply_count", wanted.count, fit, shown)
    if not answers:
        return Finding("expect.reply_absent", "an answer", None)
    difference = comparing.reply_difference(wanted, answers[-1])
    return MET if difference is None else Finding(*difference)


async def _mail(session: Session, wanted: model.ExpectMail) -> Finding:
    fit = [mail for mail in session.sink.mails if comparing.mail_fits(wanted, mail)]
    met = len(fit) == wanted.count if wanted.count is not None else bool(fit)
    if met:
        return MET
    arrived = [
        {"to": mail.to, "title": mail.title, "text": mail.text} for mail in session.sink.mails
    ]
    return Finding("expect.mail", msgspec.to_builtins(wanted), arrived)


async def _message(session: Session, wanted: model.ExpectMessage) -> Finding:
    arrived = [each for each in session.apis.arrived if each.channel == wanted.by]
    fit = [each for each in arrived if comparing.message_fits(wanted, each)]
    met = len(fit) == wanted.count if wanted.count is not None else bool(fit)
    if met:
        return MET
    shown = [{"to": each.to, "text": each.text} for each in arrived]
    return Finding("expect.message", msgspec.to_builtins(wanted), shown)


async def _chat(session: Session, wanted: model.ExpectChat) -> Finding:
    answers = await session.chats.heard(wanted.session)
    fit = [each for each in answers if comparing.answer_fits(wanted, each)]
    met = len(fit) == wanted.count if wanted.count is not None else bool(fit)
    return MET if met else Finding("expect.chat", msgspec.to_builtins(wanted), answers)


async def _error(session: Session, wanted: model.ExpectError) -> Finding:
    codes = [wanted.code] if isinstance(wanted.code, str) else wanted.code
    got = [answer.code for answer in session.answers]
    fit = [code for code in got if code in codes]
    if wanted.count is not None:
        return MET if len(fit) == wanted.count else Finding("expect.error", wanted.code, got)
    return MET if fit and got[-1] in codes else Finding("expect.error", wanted.code, got)


async def _balance(session: Session, wanted: model.ExpectBalance) -> Finding:
    got = await balance.balance_of(session, _deadline(wanted))
    return _first(comparing.balance_differences(wanted, got))


async def _repeats(session: Session, wanted: model.ExpectRepeats) -> Finding:
    got = sum(1 for _ in (await session.read_ledger()).of_type("fact.repeated"))
    return MET if got == wanted.is_ else Finding("expect.repeats", wanted.is_, got)


async def _conversation_id(session: Session, wanted: model.ExpectOfConversation) -> str | None:
    """The newest conversation of the customer whom `of` names, else of the story; or where it goes on."""
    found = await _newest_conversation(session, wanted)
    ledger = await session.read_ledger()
    into = {
        each.conversation: each.open["into"] for each in ledger.of_type("conversation.absorbed")
    }
    return into.get(found, found)


async def _newest_conversation(session: Session, wanted: model.ExpectOfConversation) -> str | None:
    if wanted.of is None:
        return (await session.read_ledger()).newest_conversation
    kind = "email" if "@" in wanted.of else "phone"
    asked = {"handle": {"kind": kind, "value": wanted.of}}
    answer = await session.asker.query("customer", asked, _deadline(wanted))
    found = answer.get("conversations") or []
    if not found:
        return None
    return str(found[-1]["id"] if isinstance(found[-1], dict) else found[-1])


async def _conversation(
    session: Session, wanted: model.ExpectOfConversation
) -> dict[str, Any] | None:
    """The conversation as history answers it."""
    conversation = await _conversation_id(session, wanted)
    if conversation is None:
        return None
    asked = {"conversation": conversation}
    answer = await session.asker.query("conversation", asked, _deadline(wanted))
    if "error" in answer:
        raise StepFailed("expect.query_refused", "history refused", got=answer["error"])
    found: dict[str, Any] = answer["conversation"]
    return found


def _counted(code: str, wanted: int, fit: list[Any], every: Any) -> Finding:
    return MET if len(fit) == wanted else Finding(code, wanted, every)


def _first(differences: list[comparing.Difference]) -> Finding:
    return Finding(*differences[0]) if differences else MET


LOOKS: dict[type[model.Expect], Callable[[Session, Any], Awaitable[Finding]]] = {
    model.ExpectPacket: _packet,
    model.ExpectOwner: _owner,
    model.ExpectTimeline: _timeline,
    model.ExpectNotification: _notification,
    model.ExpectPromise: _promise,
    model.ExpectCallback: _callback,
    model.ExpectMissed: _missed,
    model.ExpectReply: _reply,
    model.ExpectMail: _mail,
    model.ExpectMessage: _message,
    model.ExpectChat: _chat,
    model.ExpectError: _error,
    model.ExpectBalance: _balance,
    model.ExpectRepeats: _repeats,
}
