"""The client of CONTACTS: what it says when not everything was stored."""

import pytest

from shared.contact_log import ContactLog
from shared.errors import JetStreamRefused, StoreIncomplete
from tests.router import samples
from tests.support.ledger import ScriptedCodec, ServerPlace
from tests.support.waiting import eventually

TOO_LARGE_BYTES = 300_000


async def test_an_event_that_no_stream_takes_is_refused_for_good(server_place: ServerPlace) -> None:
    """Repeating it would be in vain, and the error says so."""
    codec = ScriptedCodec(b"{}", b"x" * TOO_LARGE_BYTES)
    log = ContactLog(await server_place.bus(), codec)
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
        await ContactLog(bus, ScriptedCodec(b"{}")).publish([("chat", "s1", samples.message("a"))])
    assert refusal.value.retryable
