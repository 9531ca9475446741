"""The client of CONTACTS: what it says when not everything was stored."""

import pytest

from shared.contact_log import ContactLog
from shared.errors import JetStreamRefused, StoreIncomplete
from tests.router import samples
from tests.support.ledger import ScriptedCodec, ServerPlace

TOO_LARGE_BYTES = 300_000


async def test_an_event_that_no_stream_takes_is_refused_for_good(server_place: ServerPlace) -> None:
    """Repeating it would be in vain, and the error says so."""
    codec = ScriptedCodec(b"{}", b"x" * TOO_LARGE_BYTES)
    log = ContactLog(await server_place.bus(), codec)
    events = [samples.message("hello", "m1"), samples.message("too much", "m2")]
    with pytest.raises(JetStreamRefused) as refusal:
        await log.publish([("chat", "s1", event) for event in events])
    assert not refusal.value.retryable
    assert refusal.value.details == {"wanted": 2, "acknowledged": 1, "err_code": 10054}


async def test_a_list_of_which_nothing_was_heard_may_be_repeated(server_place: ServerPlace) -> None:
    """Nothing is known, so nothing is refused."""
    bus = await server_place.bus()
    await bus.close()
    with pytest.raises(StoreIncomplete) as refusal:
        await ContactLog(bus, ScriptedCodec(b"{}")).publish([("chat", "s1", samples.message("a"))])
    assert refusal.value.retryable
