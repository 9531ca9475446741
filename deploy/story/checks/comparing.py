"""Compares what a story wants with what is there. Pure; each difference has a stable code."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from deploy.story.file import model
from deploy.story.providers import doors, mail_sink
from deploy.story.providers.api import Arrived

Difference = tuple[str, Any, Any]
"""Code, wanted, got."""


def as_list(parts: Any) -> list[dict[str, Any]]:
    """Return the parts of a view, whether it lists them or keeps them by id."""
    return list(parts.values()) if isinstance(parts, dict) else list(parts)


# -- the packet -------------------------------------------------------------------------------------


def packet_differences(wanted: model.ExpectPacket, packet: dict[str, Any]) -> list[Difference]:
    """Return what the packet lacks or has otherwise, facts first; [] when it is as wanted."""
    return [
        *_fact_differences(wanted, packet["facts"]),
        *_who_differences(wanted, packet["who"]),
        *_list_differences(wanted, packet),
        *_done_differences(wanted.done, packet["done"]),
        *_hop_differences(wanted.hops, packet["path"]["hops"]),
        *_said_differences(wanted.said, packet),
        *_visit_differences(wanted.visit, packet["around"]["visit"]),
        *_plain(
            "expect.packet_announcements",
            wanted.announcements,
            [each["text"] for each in packet["around"]["announcements"]],
        ),
        *_after_differences(wanted.after, packet["why"]["after"]),
        *_plain("expect.packet_on_hold", wanted.on_hold, packet["path"]["on_hold"]),
        *_plain("expect.packet_unanswered", wanted.unanswered, packet["open"]["unanswered"]),
    ]


def _fact_differences(wanted: model.ExpectPacket, facts: list[dict[str, Any]]) -> list[Difference]:
    got: dict[str, list[str]] = {}
    for fact in facts:
        got.setdefault(fact["name"], []).append(fact["value"])
    found: list[Difference] = []
    for name, value in wanted.facts.items():
        values = [value] if isinstance(value, str) else value
        if name not in got:
            found.append(("expect.packet_fact_missing", {name: value}, got))
        elif not set(values) <= set(got[name]):
            found.append(("expect.packet_fact_differs", {name: value}, {name: got[name]}))
    if wanted.facts_only and set(got) - set(wanted.facts):
        found.append(("expect.packet_fact_unwanted", sorted(wanted.facts), got))
    return found


def _who_differences(wanted: model.ExpectPacket, who: dict[str, Any]) -> list[Difference]:
    return [
        *_plain("expect.packet_name", wanted.name, who["name"]),
        *_plain("expect.packet_salutation", wanted.salutation, who["salutation"]),
        *_plain("expect.packet_language", wanted.language, who["language"]),
    ]


def _after_differences(wanted: str | None, after: dict[str, Any] | None) -> list[Difference]:
    """`wanted`: a part of what she had said first in the conversation that she comes back to."""
    said = (after or {}).get("matter") or ""
    return [] if wanted is None or wanted in said else [("expect.packet_after", wanted, said)]


def _list_differences(wanted: model.ExpectPacket, packet: dict[str, Any]) -> list[Difference]:
    orders = [each["number"] for each in packet["why"]["orders"]]
    promises = [each["text"] for each in packet["open"]["promises"]]
    return [
        *_plain("expect.packet_orders", wanted.orders, orders),
        *_plain("expect.packet_promises", wanted.promises, promises),
        *_plain("expect.packet_channels", wanted.channels, packet["path"]["channels"]),
    ]


def _done_differences(
    wanted: Mapping[str, str | list[str]], done: list[dict[str, Any]]
) -> list[Difference]:
    """`wanted`: parts of the texts of what was done, by what it was."""
    lacking = {
        what: part
        for what, parts in wanted.items()
        for part in ([parts] if isinstance(parts, str) else parts)
        if not any(each["what"] == what and part in (each["text"] or "") for each in done)
    }
    return [("expect.packet_done", lacking, done)] if lacking else []


def _hop_differences(wanted: Sequence[model.WantedHop] | None, got: list[Any]) -> list[Difference]:
    if wanted is None:
        return []
    shown = [_as_written(hop) for hop in got]
    asked = [msgspec.to_builtins(hop) for hop in wanted]
    met = len(asked) == len(shown) and all(
        value is None or hop[key] == value
        for each, hop in zip(asked, shown, strict=True)
        for key, value in each.items()
    )
    return [] if met else [("expect.packet_hops", asked, shown)]


def _as_written(hop: dict[str, Any]) -> dict[str, Any]:
    """A hop of a packet in the story's words."""
    return {
        "from": hop["sender"],
        "to": hop["to"],
        "kind": hop["kind"],
        "brief": hop["brief"],
        "accepted": hop["accepted"] is not None,
        "outcome": hop["outcome"],
    }


def _said_differences(wanted: Sequence[str], packet: dict[str, Any]) -> list[Difference]:
    texts = [each["text"] for each in packet["said"]]
    lacking = [text for text in wanted if not any(text in each for each in texts)]
    return [("expect.packet_said", lacking, texts)] if lacking else []


def _visit_differences(
    wanted: model.WantedVisit | None, got: dict[str, Any] | None
) -> list[Difference]:
    if wanted is None:
        return []
    if got is None:
        return [("expect.packet_visit_absent", msgspec.to_builtins(wanted), None)]
    return [
        *_plain("expect.packet_visit", wanted.pages, [each["title"] for each in got["pages"]]),
        *_plain("expect.packet_visit", wanted.cart, got["cart"]),
        *_plain("expect.packet_visit", wanted.campaign, dict(got["campaign"])),
        *_plain("expect.packet_visit", wanted.proof, got["proof"]),
    ]


def _plain(code: str, wanted: Any, got: Any) -> list[Difference]:
    return [] if wanted is None or wanted == got else [(code, wanted, got)]


# -- conversations ----------------------------------------------------------------------------------


def owner_differences(wanted: model.ExpectOwner, found: dict[str, Any]) -> list[Difference]:
    """Return how the owner, queue or status of a conversation differs."""
    owner = found.get("owner") or "nobody"
    allowed = [wanted.is_] if isinstance(wanted.is_, str) else wanted.is_
    return [
        *([] if owner in (allowed or [owner]) else [("expect.owner", wanted.is_, owner)]),
        *_plain("expect.owner_queue", wanted.queue, found.get("queue")),
        *_plain("expect.owner_status", wanted.status, found.get("status")),
    ]


def timeline_differences(
    wanted: model.ExpectTimeline, types: Sequence[str], opened: int
) -> list[Difference]:
    """Return what a timeline of event types lacks, has too much or has in another order."""
    found: list[Difference] = []
    rest = iter(types)
    lacking = [each for each in wanted.has if not any(each == have for have in rest)]
    if lacking:
        found.append(("expect.timeline_lacks", lacking, list(types)))
    unwanted = [each for each in wanted.lacks if each in types]
    if unwanted:
        found.append(("expect.timeline_unwanted", wanted.lacks, unwanted))
    counts = {name: types.count(name) for name in wanted.count}
    if counts != wanted.count:
        found.append(("expect.timeline_count", wanted.count, counts))
    return [*found, *_plain("expect.timeline_conversations", wanted.conversations, opened)]


def promise_fits(wanted: model.ExpectPromise, promise: dict[str, Any]) -> bool:
    state = promise.get("end") or ("kept" if promise.get("kept") else "open")
    return (
        state == wanted.state
        and wanted.text in (None, promise.get("text"))
        and wanted.by in (None, promise.get("by"), promise.get("agent"))
    )


def callback_fits(wanted: model.ExpectCallback, callback: dict[str, Any]) -> bool:
    return (
        callback.get("status") == wanted.state
        and wanted.reason in (None, callback.get("reason"))
        and wanted.queue in (None, callback.get("queue"))
        and wanted.attempts in (None, callback.get("attempts"))
    )


def lost_fits(wanted: model.ExpectMissed, lost: dict[str, Any]) -> bool:
    return (
        lost.get("fate") == wanted.fate
        and wanted.reason in (None, lost.get("reason"))
        and wanted.queue in (None, lost.get("queue"))
        and wanted.in_time in (None, lost.get("in_time"))
    )


# -- answers, mail, balance -------------------------------------------------------------------------


def reply_difference(wanted: model.ExpectReply, answer: doors.Answer) -> Difference | None:
    """Return how an answer differs; `None` when it is as wanted."""
    if wanted.status not in (None, answer.status):
        return ("expect.reply_status", wanted.status, answer.status)
    if wanted.contains is not None and wanted.contains not in answer.text:
        return ("expect.reply_body", wanted.contains, answer.text)
    if wanted.code not in (None, answer.code):
        return ("expect.reply_code", wanted.code, answer.code)
    return None


def message_fits(wanted: model.ExpectMessage, arrived: Arrived) -> bool:
    return wanted.to in (None, arrived.to) and all(part in arrived.text for part in wanted.contains)


def mail_fits(wanted: model.ExpectMail, mail: mail_sink.Mail) -> bool:
    return (
        wanted.to in mail.to
        and wanted.title in (None, mail.title)
        and all(part in mail.text for part in wanted.contains)
    )


def answer_fits(wanted: model.ExpectChat, answer: dict[str, Any]) -> bool:
    text, by = str(answer.get("text")), answer.get("by")
    return wanted.by in (None, by) and all(part in text for part in wanted.contains)


def balance_differences(wanted: model.ExpectBalance, got: dict[str, Any]) -> list[Difference]:
    """Return the numbers of a balance that differ."""
    names = set(model.ExpectBalance.__struct_fields__) - set(model.Expect.__struct_fields__)
    asked = {name: getattr(wanted, name) for name in names if getattr(wanted, name) is not None}
    found = {name: got.get(name) for name in asked}
    return [] if found == asked else [("expect.balance", asked, found)]
