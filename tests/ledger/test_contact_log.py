"""The client of CONTACTS: each event once, and what it says when not everything was stored."""

from collections.abc import Mapping, Sequence

import pytest
from msgspec.structs import replace
from typing_extensions import override

from shared import subjects
from shared.bus import Bus
from shared.bus.deliveries import StoredAck
from shared.codec import PlainCodec, decode
from shared.contact_log import ContactLog
from shared.errors import BusUnavailable, JetStreamRefused, StoreIncomplete
from shared.events import AnyEvent, ContactEvent
from tests.router import samples
from tests.support.contacts import alone
from tests.support.ledger import ScriptedCodec, ServerPlace
from tests.support.waiting import eventually

TOO_LARGE_BYTES = 300_000


async def test_an_event_that_no_stream_takes_is_refused_for_good(server_place: ServerPlace) -> None:
    """Repeating it would be in vain, and the error says so."""
    codec = ScriptedCodec(b"{}", b"x" * TOO_LARGE_BYTES)
    log = ContactLog(await server_place.bus(), codec, alone)
    events = [samples.message("hello", "m1"), samples.message("too much", "m2")]

    async def refused() -> bool:
        """A server whose leader is moving is asked again, as ingest does."""
        with pytest.raises((JetStreamRefused, StoreIncomplete)) as refusal:
            await log.publish([("chat", "s1", event) for event in events])
        details = {"wanted": 2, "acknowledged": 1, "err_code": 10054}
        assert refusal.value.retryable or refusal.value.details == details
        return not refusal.value.retryable

    await eventually(refused)


async def test_a_list_of_which_nothing_was_heard_may_be_repeated(server_place: ServerPlace) -> None:
    """Nothing is known, so nothing is refused."""
    bus = await server_place.bus()
    await bus.close()
    with pytest.raises(StoreIncomplete) as refusal:
        await ContactLog(bus, ScriptedCodec(b"{}"), alone).publish(
            [("chat", "s1", samples.message("a"))]
        )
    assert refusal.value.retryable


class FlightyBus(Bus):
    """Says of everything that it is being stored on its subject; whether it then stands there is another matter."""

    def __init__(self, bus: Bus) -> None:
        super().__init__(bus._client, owned=False)  # noqa: SLF001  a test double of the same connection

    @override
    async def store_many(
        self,
        messages: Sequence[tuple[str, bytes, str]],
        *,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = 5.0,
    ) -> list[StoredAck]:
        raise StoreIncomplete(len(messages), {}, dict.fromkeys(range(len(messages)), 10164))


async def standing(bus: Bus, event: ContactEvent) -> AnyEvent:
    """Return the only event that CONTACTS holds on this one's subject."""
    subject = subjects.contact(event.tenant, "chat", "s1", event.id, alone(event))
    state = (await bus.api("STREAM.INFO.CONTACTS", {"subjects_filter": subject}))["state"]
    assert state["subjects"] == {subject: 1}
    held = await bus.leader_get("CONTACTS", last_by_subject=subject)
    assert held is not None
    return decode(held.body)


async def patiently(log: ContactLog, events: Sequence[ContactEvent]) -> None:
    """Publish as ingest does: again until it is done."""

    async def published() -> bool:
        try:
            await log.publish([("chat", "s1", event) for event in events])
        except BusUnavailable:
            return False
        return True

    await eventually(published)


async def test_an_event_stands_once_however_late_it_is_told_again(
    server_place: ServerPlace,
) -> None:
    """The stream refuses what it holds, long after it forgot the message's id; what is new beside it is stored."""
    bus = await server_place.bus()
    first, second, third = (samples.message("hello", f"late-{k}") for k in range(3))
    await patiently(ContactLog(bus, PlainCodec(), alone), [first, second])
    await server_place.pass_window()
    later = replace(first, raw=f"99:{'b' * 64}")
    heir = ContactLog(await server_place.bus(), PlainCodec(), alone)
    await patiently(heir, [later, third, second, third])
    told = [first, second, third]
    assert [await standing(bus, event) for event in (later, second, third)] == told


async def test_what_is_on_its_way_is_not_taken_for_stored(server_place: ServerPlace) -> None:
    """The leader that takes it may be lost with it; only what stands there counts, then as the writer's own."""
    bus = await server_place.bus()
    log = ContactLog(FlightyBus(bus), PlainCodec(), alone)
    event = samples.message("hello", "in-flight")
    with pytest.raises(StoreIncomplete) as refusal:
        await log.publish([("chat", "s1", event)])
    assert refusal.value.retryable
    await patiently(ContactLog(bus, PlainCodec(), alone), [event])
    await log.publish([("chat", "s1", event)])
