"""What a story wants is compared with what is there, and each difference has its code."""

from typing import Any

import pytest

from deploy.story.checks import comparing
from deploy.story.file.model import (
    ExpectBalance,
    ExpectCallback,
    ExpectMail,
    ExpectOwner,
    ExpectPacket,
    ExpectPromise,
    ExpectReply,
    ExpectTimeline,
    WantedHop,
)
from deploy.story.providers.doors import Answer
from deploy.story.providers.mail_sink import Mail

PACKET: dict[str, Any] = {
    "who": {"name": "Anna Nowak", "salutation": "Mrs Anna", "language": "pl"},
    "around": {"visit": None, "announcements": []},
    "why": {"orders": [{"number": "ORD-1"}], "after": {"matter": "It is broken", "summary": None}},
    "facts": [
        {"fact_id": "f1", "name": "locker", "value": "KRA01M"},
        {"fact_id": "f2", "name": "locker", "value": "KRA02M"},
        {"fact_id": "f3", "name": "colour", "value": "red"},
    ],
    "open": {"promises": [{"text": "soon"}], "unanswered": 1},
    "done": [
        {"what": "wrap_up", "text": None},
        {"what": "agreed", "text": "We keep it until Friday."},
        {"what": "agreed", "text": "She comes herself."},
    ],
    "path": {
        "hops": [
            {
                "sender": "piotr",
                "to": "agent-ewa",
                "kind": "warm",
                "brief": "please",
                "accepted": None,
                "outcome": "open",
            }
        ],
        "channels": ["chat"],
        "on_hold": False,
    },
    "said": [{"text": "Is there any news?"}],
}


def packet(**wanted: Any) -> list[str]:
    asked = ExpectPacket(expect="packet", to="ewa", **wanted)
    return [code for code, _, _ in comparing.packet_differences(asked, PACKET)]


def test_a_packet_as_wanted_has_no_difference() -> None:
    """Everything that a story can say of a packet, and all of it true."""
    assert (
        packet(
            facts={"locker": ["KRA01M", "KRA02M"], "colour": "red"},
            facts_only=True,
            name="Anna Nowak",
            salutation="Mrs Anna",
            language="pl",
            orders=["ORD-1"],
            promises=["soon"],
            done={"agreed": ["until Friday", "herself"], "wrap_up": ""},
            hops=[
                WantedHop(
                    from_="piotr", to="agent-ewa", kind="warm", accepted=False, outcome="open"
                )
            ],
            said=["any news"],
            channels=["chat"],
            after="broken",
            on_hold=False,
            unanswered=1,
        )
        == []
    )


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"after": "It is whole"}, "expect.packet_after"),
        ({"facts": {"parcel": "1"}}, "expect.packet_fact_missing"),
        ({"facts": {"colour": "blue"}}, "expect.packet_fact_differs"),
        ({"facts": {"locker": ["KRA01M", "KRA03M"]}}, "expect.packet_fact_differs"),
        ({"facts": {"colour": "red"}, "facts_only": True}, "expect.packet_fact_unwanted"),
        ({"name": "Anna"}, "expect.packet_name"),
        ({"salutation": "Anna"}, "expect.packet_salutation"),
        ({"language": "sk"}, "expect.packet_language"),
        ({"orders": []}, "expect.packet_orders"),
        ({"promises": []}, "expect.packet_promises"),
        ({"done": {"agreed": "until Monday"}}, "expect.packet_done"),
        ({"done": {"apologised": ""}}, "expect.packet_done"),
        ({"channels": ["chat", "email"]}, "expect.packet_channels"),
        ({"hops": []}, "expect.packet_hops"),
        ({"hops": [WantedHop(brief="other")]}, "expect.packet_hops"),
        ({"hops": [WantedHop(), WantedHop()]}, "expect.packet_hops"),
        ({"hops": [WantedHop(accepted=True)]}, "expect.packet_hops"),
        ({"hops": [WantedHop(outcome="expired")]}, "expect.packet_hops"),
        ({"said": ["goodbye"]}, "expect.packet_said"),
        ({"on_hold": True}, "expect.packet_on_hold"),
        ({"unanswered": 0}, "expect.packet_unanswered"),
        ({"announcements": ["The lockers are down"]}, "expect.packet_announcements"),
    ],
)
def test_each_difference_of_a_packet_is_named(wanted: dict[str, Any], code: str) -> None:
    """A story that wants something else learns what."""
    assert packet(**wanted) == [code]


@pytest.mark.parametrize(
    ("wanted", "codes"),
    [
        ({"is_": "ewa", "status": "owned"}, []),
        ({"is_": "piotr"}, ["expect.owner"]),
        ({"is_": ["piotr", "ewa"]}, []),
        ({"is_": ["piotr", "nobody"]}, ["expect.owner"]),
        ({"queue": "warehouse"}, ["expect.owner_queue"]),
        ({"status": "resolved"}, ["expect.owner_status"]),
    ],
)
def test_owner_queue_and_status_are_compared(wanted: dict[str, Any], codes: list[str]) -> None:
    """Only what is named is compared."""
    asked = ExpectOwner(expect="owner", **wanted)
    found = comparing.owner_differences(asked, {"owner": "ewa", "queue": None, "status": "owned"})
    assert [code for code, _, _ in found] == codes


def test_nobody_owns_a_conversation_without_owner() -> None:
    """`nobody` is the word for none."""
    asked = ExpectOwner(expect="owner", is_="nobody")
    assert comparing.owner_differences(asked, {"owner": None}) == []


@pytest.mark.parametrize(
    ("wanted", "codes"),
    [
        ({"has": ["a", "c"]}, []),
        ({"has": ["c", "a"]}, ["expect.timeline_lacks"]),
        ({"has": ["b", "b"]}, ["expect.timeline_lacks"]),
        ({"lacks": ["d"]}, []),
        ({"lacks": ["b"]}, ["expect.timeline_unwanted"]),
        ({"count": {"a": 2, "b": 1, "d": 0}}, []),
        ({"count": {"a": 1}}, ["expect.timeline_count"]),
        ({"conversations": 1}, []),
        ({"conversations": 2}, ["expect.timeline_conversations"]),
    ],
)
def test_a_timeline_is_compared_in_order(wanted: dict[str, Any], codes: list[str]) -> None:
    """Others may stand between the types that a story names, but not in another order."""
    asked = ExpectTimeline(expect="timeline", **wanted)
    found = comparing.timeline_differences(asked, ["a", "b", "a", "c"], 1)
    assert [code for code, _, _ in found] == codes


def test_promises_and_callbacks_fit_by_what_is_named() -> None:
    """State and every named key."""
    kept = {"text": "soon", "by": "ewa", "kept": "2026-11-22T12:00:00Z"}
    assert comparing.promise_fits(ExpectPromise(expect="promise", state="kept", by="ewa"), kept)
    assert not comparing.promise_fits(ExpectPromise(expect="promise"), kept)
    broken = {"text": "soon", "by": "ewa", "kept": None, "end": "broken"}
    assert comparing.promise_fits(ExpectPromise(expect="promise", state="broken"), broken)
    assert not comparing.promise_fits(ExpectPromise(expect="promise"), broken)
    assert not comparing.promise_fits(ExpectPromise(expect="promise", state="kept", text="x"), kept)
    owed = {"status": "open", "reason": "missed", "queue": "hotline", "attempts": 1}
    assert comparing.callback_fits(ExpectCallback(expect="callback", attempts=1), owed)
    for other in ({"state": "closed"}, {"reason": "abandoned"}, {"queue": "x"}, {"attempts": 2}):
        asked = ExpectCallback(expect="callback", **other)
        assert not comparing.callback_fits(asked, owed)


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"status": 403, "contains": "wrong", "code": "door.signature_invalid"}, None),
        ({"status": 200}, "expect.reply_status"),
        ({"contains": "right"}, "expect.reply_body"),
        ({"code": "tenant.unknown"}, "expect.reply_code"),
    ],
)
def test_an_answer_is_compared(wanted: dict[str, Any], code: str | None) -> None:
    """Status, text and code."""
    answer = Answer(403, "it is wrong", "door.signature_invalid", {})
    difference = comparing.reply_difference(ExpectReply(expect="reply", **wanted), answer)
    assert (difference[0] if difference else None) == code


def test_a_mail_fits_by_box_title_and_text() -> None:
    """Every part must be in the text."""
    mail = Mail(("anna@mail.example",), "Hello", "Dear Mrs Anna,\nthe courier comes", "<1@x>")
    to = "anna@mail.example"
    good = ExpectMail(expect="mail", to=to, title="Hello", contains=["Dear", "courier"])
    assert comparing.mail_fits(good, mail)
    assert not comparing.mail_fits(ExpectMail(expect="mail", to="b@mail.example"), mail)
    assert not comparing.mail_fits(ExpectMail(expect="mail", to=to, title="Other"), mail)
    assert not comparing.mail_fits(ExpectMail(expect="mail", to=to, contains=["train"]), mail)


def test_a_balance_must_miss_nothing_unless_said_otherwise() -> None:
    """`missing: 0` and `parked: 0` are wanted even where a story does not say it."""
    good = {"received": 2, "accepted": 1, "parked": 0, "missing": 0}
    bare = ExpectBalance(expect="balance", received=2)
    for fate in ("parked", "missing"):
        wanted = {"received": 2, "parked": 0, "missing": 0}
        assert comparing.balance_differences(bare, {**good, fate: 1}) == [
            ("expect.balance", wanted, {**wanted, fate: 1})
        ]
    assert comparing.balance_differences(bare, good) == []
