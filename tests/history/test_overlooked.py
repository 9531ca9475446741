"""What `overlooked` lists: all that waits for somebody, until somebody has seen it or somebody else was told."""

from collections.abc import Mapping
from typing import Any

import pytest
import pytest_asyncio

from services.history.pool import Pool
from services.history.positions import Positions
from services.history.projection import Projection
from services.history.store import Session
from tests.history.caller import Caller, answers_over
from tests.history.handwritten_ledger import BEGIN, HandwrittenLedger
from tests.history.parcel_story import CONVERSATION, MISSED, ParcelStory

POLICY = {"rule": "entry.account", "policy_version": "policy-1"}
OUTCOME = {
    "contact_id": "out-m1",
    "medium": "mail",
    "channel": "email",
    "account": "shop",
    "provider_id": "m1",
    "message_id": "m1",
}
BREACHED = {"clock_id": "s1", "target": "first_response", "due": BEGIN, "queue": "hotline"}
BREACHED |= {"answered": False, "warned": False}
WAITED = {"contact_id": "call1", "queue": "hotline", "since": BEGIN, "limit_seconds": 120.0}
WAITED |= {"rule": "wait.limit", "policy_version": "v", "exceeds": None}


async def test_a_request_is_overlooked_until_somebody_acknowledges(
    pool: Pool, session: Session, parcel: ParcelStory
) -> None:
    """A waiting contact counts from its queueing to the acknowledgement, whatever its notification's state."""
    every = await parcel.handwritten.all()
    types = [each.event.type for each in every]
    projection = await Projection.take_over(session)
    ask = Caller(answers_over(pool, parcel.handwritten, Positions(agreed=True)))
    states = {
        "contact.queued": "none",
        "notification.requested": "requested",
        "notification.sent": "sent",
    }
    for kind, state in states.items():
        await projection.apply(every[projection.position : types.index(kind) + 1])
        answer = await ask("overlooked")
        assert answer["count"] == 1
        [request] = answer["requests"]
        assert (request["state"], request["kind"]) == (state, "waiting")
        assert (request["conversation"], request["id"]) == (CONVERSATION, parcel.queued_id)
    end = types.index("notification.acknowledged") + 1
    await projection.apply(every[projection.position : end])
    assert (await ask("overlooked"))["requests"] == []


@pytest.mark.parametrize("to", ["agent-piotr", "queue-hotline"])
async def test_an_escalation_is_overlooked_while_nobody_is_there_to_see_it(
    pool: Pool, session: Session, handwritten: HandwrittenLedger, to: str
) -> None:
    """On the desk of somebody who is away it lies unseen, and in a queue in which only others are at work."""
    parcel = ParcelStory(handwritten)
    await parcel.register()
    await parcel.call()
    await parcel.note("notification.escalated", {"notification_id": "n1", "to": to})
    projection = await Projection.take_over(session)
    ask = Caller(answers_over(pool, handwritten, Positions(agreed=True)))

    async def overlooked(agent: str, status: str) -> list[str]:
        kind = "agent.signed_in" if status == "signed_in" else "agent.status_set"
        said = {"agent": agent} if status == "signed_in" else {"agent": agent, "status": status}
        await parcel.note_on(f"agent-{agent}", kind, said)
        await projection.apply((await handwritten.all())[projection.position :])
        answer = await ask("overlooked")
        assert answer["count"] == len(answer["requests"])
        return [each["state"] for each in answer["requests"]]

    assert await overlooked("marek", "signed_in") == ["escalated"]
    assert await overlooked("piotr", "signed_in") == []
    assert await overlooked("piotr", "away") == ["escalated"]
    assert await overlooked("piotr", "available") == []
    assert await overlooked("piotr", "signed_out") == ["escalated"]
    await parcel.note(
        "notification.acknowledged", {"notification_id": "n1", "by": "ewa", "through": "command"}
    )
    assert await overlooked("marek", "away") == []


async def test_a_lost_call_without_a_callback_is_overlooked(
    pool: Pool, session: Session, parcel: ParcelStory
) -> None:
    """A missed contact without an obligation shows until there is one; then that is what somebody must see."""
    every = await parcel.handwritten.all()
    types = [each.event.type for each in every]
    projection = await Projection.take_over(session)
    await projection.apply(every[: types.index("contact.missed") + 1])
    ask = Caller(answers_over(pool, parcel.handwritten, Positions(agreed=True)))
    before = (await ask("overlooked"))["requests"]
    assert [each["kind"] for each in before if each["conversation"] == MISSED] == ["lost"]
    await projection.apply(every[projection.position :])
    now = (await ask("overlooked"))["requests"]
    [request] = [each for each in now if each["conversation"] == MISSED]
    assert (request["kind"], request["queue"], request["state"]) == ("callback", "hotline", "none")


class Owned:
    """Piotr owns the matter and has seen all of it; then something happens."""

    def __init__(self, parcel: ParcelStory, session: Session, ask: Caller) -> None:
        self._parcel = parcel
        self._session = session
        self._ask = ask

    async def happens(self, *parts: tuple[Any, ...]) -> int:
        return await self._parcel.conv(*parts)

    async def merged(self, to_owner: str | None) -> None:
        """Another conversation goes on in hers."""
        packet_id, (_, _, personal) = await self._parcel.package()
        merged: dict[str, Any] = {"merged": "another", "contacts": [], "packet_id": packet_id}
        told = {**merged, "owner": None, "to_owner": to_owner}
        await self._parcel.conv(("conversation.merged", told, personal))

    async def told(self, about: int, recipient: str) -> None:
        """Notify has told somebody of the event at this position."""
        event = (await self._parcel.handwritten.all())[about - 1].event
        await self._parcel.notify(f"n{about}", "new_request", recipient, event.id)

    async def acknowledged(self, about: int) -> None:
        seen = {"notification_id": f"n{about}", "by": "piotr", "through": "command"}
        await self._parcel.note("notification.acknowledged", seen)

    async def listed(self) -> tuple[list[str], list[str]]:
        """Return the open promises and the calls that are owed."""
        promises = (await self._ask("promises", status="open"))["promises"]
        callbacks = (await self._ask("callbacks", status="open"))["callbacks"]
        return (
            [each["promise_id"] for each in promises],
            [each["callback_id"] for each in callbacks],
        )

    async def count(self) -> int:
        return int((await self._ask("overlooked"))["count"])

    async def overlooked(self) -> list[tuple[str, str | None, str | None, str]]:
        projection = await Projection.take_over(self._session)
        await projection.apply((await self._parcel.handwritten.all())[projection.position :])
        found = (await self._ask("overlooked"))["requests"]
        return [(each["kind"], each["queue"], each["contact_id"], each["state"]) for each in found]


@pytest_asyncio.fixture
async def owned(pool: Pool, session: Session, handwritten: HandwrittenLedger) -> Owned:
    parcel = ParcelStory(handwritten)
    await parcel.register()
    await parcel.call()
    await parcel.offer_and_accept()
    owned = Owned(parcel, session, Caller(answers_over(pool, handwritten, Positions(agreed=True))))
    assert await owned.overlooked() == []
    return owned


def joined(owner: str | None) -> tuple[str, Mapping[str, Any]]:
    where = {"contact_id": "mail1", "channel": "email", "account": "shop"}
    return "conversation.joined", {**where, **POLICY, "to_owner": owner}


def queued(contact_id: str) -> tuple[str, Mapping[str, Any]]:
    return "contact.queued", {"contact_id": contact_id, "queue": "hotline", **POLICY}


async def test_a_contact_that_joined_its_owners_matter_is_overlooked_until_she_saw_it(
    owned: Owned,
) -> None:
    """Nobody else looks into her conversations; without an owner on duty the queue is asked instead."""
    await owned.happens(joined(None))
    assert await owned.overlooked() == []
    at = await owned.happens(joined("piotr"))
    assert await owned.overlooked() == [("owned", None, "mail1", "none")]
    await owned.told(at, "agent-piotr")
    assert await owned.overlooked() == [("owned", None, "mail1", "sent")]
    await owned.acknowledged(at)
    assert await owned.overlooked() == []


async def test_a_transfer_that_came_back_to_its_sender_is_overlooked_until_she_saw_it(
    owned: Owned,
) -> None:
    """She may count on the colleague still; a refusal after which the next one is asked is no request."""
    refused = {"transfer_id": "t1", "agent": "ewa"}
    await owned.happens(("transfer.rejected", {**refused, "final": False}))
    assert await owned.overlooked() == []
    back = {**refused, "final": True, "returned_to": "agent-piotr"}
    at = await owned.happens(("transfer.rejected", back))
    assert await owned.overlooked() == [("owned", None, "call1", "none")]
    await owned.told(at, "agent-piotr")
    await owned.acknowledged(at)
    assert await owned.overlooked() == []


async def test_a_matter_whose_owner_is_gone_is_overlooked_until_somebody_saw_it(
    owned: Owned,
) -> None:
    """It waits in its queue."""
    returned = {"owner": "piotr", "queue": "hotline", "reason": "signed_out", "packet_id": "p1"}
    at = await owned.happens(
        ("conversation.returned", {**returned, "rule": "return.owner_gone", "policy_version": "v"})
    )
    assert await owned.overlooked() == [("waiting", "hotline", "call1", "none")]
    await owned.told(at, "queue-hotline")
    await owned.acknowledged(at)
    assert await owned.overlooked() == []


@pytest.mark.parametrize(
    ("kind", "said", "found"),
    [
        (
            "promise.overdue",
            {"promise_id": "p1", "agent": "piotr", "due": BEGIN, "to": "agent-piotr"},
            ("overdue", None, None, "none"),
        ),
        (
            "promise.due_soon",
            {"promise_id": "p1", "agent": "piotr", "due": BEGIN, "to": "queue-hotline"},
            ("due_soon", "hotline", None, "none"),
        ),
        (
            "callback.overdue",
            {"callback_id": "c1", "queue": "hotline", "due": BEGIN, "to": "queue-hotline"},
            ("overdue", "hotline", None, "none"),
        ),
        (
            "escalation.overdue",
            {"escalation_id": "e1", "line": "warehouse", "due": BEGIN, "to": "queue-warehouse"},
            ("overdue", "warehouse", None, "none"),
        ),
        (
            "sla.warned",
            {"clock_id": "s1", "target": "first_response", "due": BEGIN, "to": "agent-piotr"},
            ("due_soon", None, None, "none"),
        ),
        ("sla.breached", BREACHED, ("overdue", "hotline", None, "none")),
        ("contact.wait_exceeded", WAITED, ("overdue", "hotline", "call1", "none")),
        ("message.failed", OUTCOME, ("failed", None, None, "none")),
        ("message.uncertain", OUTCOME, ("uncertain", None, None, "none")),
        (
            "message.unattended",
            {"contact_id": "call1", "owner": "piotr"},
            ("owned", None, "call1", "none"),
        ),
    ],
)
async def test_what_did_not_come_to_its_end_is_overlooked_until_somebody_saw_it(
    owned: Owned, kind: str, said: Mapping[str, Any], found: tuple[str | None, ...]
) -> None:
    """A promise, an owed call, a message that came back or of which nobody knows whether it arrived."""
    at = await owned.happens((kind, said))
    assert await owned.overlooked() == [found]
    await owned.told(at, "agent-piotr")
    await owned.acknowledged(at)
    assert await owned.overlooked() == []


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("sla.breached", {**BREACHED, "answered": True}),
        ("contact.wait_exceeded", {**WAITED, "exceeds": BEGIN}),
    ],
)
async def test_what_nobody_is_told_of_is_not_overlooked(
    owned: Owned, kind: str, said: Mapping[str, Any]
) -> None:
    """A late answer is an answer, and after a limit that is not the last one she waits on."""
    await owned.happens((kind, said))
    assert await owned.overlooked() == []


async def test_a_broken_promise_is_overlooked_until_its_supervisor_saw_it(owned: Owned) -> None:
    """Who gave it up is no second pair of eyes; also where its matter goes on elsewhere."""
    broken = {"promise_id": "p1", "agent": "ewa", "promiser": "piotr", "to": "agent-piotr"}
    why = {"reason": "nobody reaches her"}
    at = await owned.happens(("promise.broken", {**broken, "due": BEGIN}, why))
    await owned.happens(("conversation.absorbed", {"into": "another"}))
    assert await owned.overlooked() == [("broken", None, None, "none")]
    await owned.told(at, "agent-piotr")
    await owned.acknowledged(at)
    assert await owned.overlooked() == []


async def test_a_transfer_that_ended_in_a_queue_is_overlooked_until_somebody_saw_it(
    owned: Owned,
) -> None:
    """Refused for good or run out of time."""
    refused = {"transfer_id": "t1", "agent": "ewa", "final": True}
    at = await owned.happens(("transfer.rejected", {**refused, "returned_to": "queue-warehouse"}))
    assert await owned.overlooked() == [("waiting", "warehouse", "call1", "none")]
    await owned.happens(("transfer.expired", {"transfer_id": "t2", "returned_to": "queue-hotline"}))
    await owned.told(at, "queue-warehouse")
    await owned.acknowledged(at)
    assert await owned.overlooked() == [("waiting", "hotline", "call1", "none")]


async def test_a_callback_is_overlooked_until_somebody_saw_it(owned: Owned) -> None:
    """Also one whose call never stood in a queue."""
    owed = {"callback_id": "cb1", "contact_id": "call9", "queue": "warehouse", "reason": "missed"}
    at = await owned.happens(("callback.requested", {**owed, "due": BEGIN}))
    assert await owned.overlooked() == [("callback", "warehouse", "call9", "none")]
    await owned.told(at, "queue-warehouse")
    await owned.acknowledged(at)
    assert await owned.overlooked() == []


async def test_a_contact_that_waits_again_after_somebody_had_it_is_a_request_again(
    owned: Owned,
) -> None:
    """Queued once more while it waits it is not."""
    await owned.happens(queued("call1"))
    assert await owned.overlooked() == [("waiting", "hotline", "call1", "none")]
    await owned.happens(queued("call1"))
    assert len(await owned.overlooked()) == 1


async def test_a_matter_counts_once_however_much_asks_for_attention_in_it(owned: Owned) -> None:
    """The list shows each request; the number is of matters."""
    await owned.happens(joined("piotr"), ("message.failed", OUTCOME), queued("call1"))
    assert len(await owned.overlooked()) == 3
    assert await owned.count() == 1


async def test_what_waits_in_a_matter_that_goes_on_in_another_one_waits_there(owned: Owned) -> None:
    """Nobody would look into the one that is over."""
    await owned.happens(queued("call1"))
    assert len(await owned.overlooked()) == 1
    await owned.happens(("conversation.absorbed", {"into": "another"}))
    assert (await owned.overlooked(), await owned.count()) == ([], 0)


async def test_what_is_to_be_kept_is_listed_where_its_matter_goes_on(owned: Owned) -> None:
    """A promise whose time is over, and a call that is owed, are somebody's work once."""
    promise = {"promise_id": "p1", "agent": "piotr", "due": BEGIN}
    owed = {"callback_id": "cb1", "contact_id": "call1", "queue": "hotline", "reason": "missed"}
    await owned.happens(
        ("promise.made", promise, {"text": "soon"}),
        ("promise.overdue", {**promise, "to": "agent-piotr"}),
        ("callback.requested", {**owed, "due": BEGIN}),
    )
    assert [kind for kind, *_ in await owned.overlooked()] == ["overdue", "callback"]
    assert await owned.listed() == (["p1"], ["cb1"])
    await owned.happens(("conversation.absorbed", {"into": "another"}))
    assert await owned.overlooked() == []
    assert await owned.listed() == ([], [])


async def test_an_owner_who_has_more_to_look_at_is_a_request(owned: Owned) -> None:
    """Another conversation goes on in hers; whoever merged them herself has seen it."""
    await owned.merged(None)
    assert await owned.overlooked() == []
    await owned.merged("piotr")
    assert await owned.overlooked() == [("owned", None, None, "none")]
