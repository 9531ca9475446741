"""An exchange that is listened to by its REST interface: joined legs, a gap, and what answers there instead."""

from typing import Any

import msgspec
import pytest

from services.ingest.domain import pbx_memory, pbx_stream
from services.ingest.handlers import ari_session
from shared.bus import Bus
from tests.fakes.exchange import PASSWORD
from tests.fakes.exchange_ari import ari_exchange
from tests.ingest.exchange_listening import (
    asked,
    bus,
    deliveries,
    make,
    quick,
    troubled,
    types,
)
from tests.ingest.remote_readers import reading
from tests.ingest.running_ingest import GOLDEN, parsed, raw

__all__ = ["bus", "quick"]

TRACE = (GOLDEN / "asterisk_stasis_call.jsonl").read_bytes()


def channel(name: str, number: str, state: str = "Ring", program: str = "") -> dict[str, Any]:
    """A channel as ARI shows it."""
    return {
        "id": name,
        "name": f"PJSIP/trunk-{name}",
        "state": state,
        "caller": {"name": "", "number": number},
        "dialplan": {"context": "in", "exten": "221234567", "app_name": program},
        "creationtime": "2026-11-22T09:13:20.250+0000",
    }


def event(kind: str, about: dict[str, Any], **more: object) -> str:
    """An event about a channel."""
    said = {"type": kind, "timestamp": "2026-11-22T09:13:30.250+0000", "channel": about, **more}
    return msgspec.json.encode(said).decode()


async def test_a_trace_that_is_played_by_a_socket_is_told_as_if_it_came_at_once(bus: Bus) -> None:
    """Which legs are one call is known from what was told before."""
    account = "ari-trace"
    async with ari_exchange() as pbx, reading(make(bus, account, ari=pbx.address)):
        await asked(bus, account)
        whole = parsed(raw("asterisk", TRACE, path=pbx_memory.MORE_MARK))
        lines = TRACE.decode().splitlines()
        for number, line in enumerate(lines, 1):
            pbx.say(line)
            told = parsed_types(lines[:number])
            await types(bus, account, *told)
        events = await types(bus, account, *(each.type for each in whole))
    assert [each.open.provider_id for each in events] == [e.open.provider_id for e in whole]
    assert len({each.open.contact_id for each in events}) == 1
    assert "/ari/events?app=shop&subscribeAll=true" in pbx.paths
    assert PASSWORD.encode() not in b"".join(each.body for each in await deliveries(bus, account))


def parsed_types(lines: list[str]) -> list[str]:
    """What these lines tell at once."""
    body = "\n".join(lines).encode()
    try:
        return [e.type for e in parsed(raw("asterisk", body, path=pbx_memory.MORE_MARK))]
    except AssertionError:  # nothing yet
        return []


async def test_calls_that_are_gone_and_calls_that_are_new_after_a_gap(bus: Bus) -> None:
    """The agent's leg of the new call is joined by its bridge, and is no call of its own."""
    account = "ari-gap"
    gone, new, agent = "1795338800.1", "1795338800.2", "1795338800.3"
    async with ari_exchange() as pbx, reading(make(bus, account, ari=pbx.address)):
        await asked(bus, account)
        pbx.say(event("ChannelCreated", channel(gone, "+48600100201")))
        await types(bus, account, "call.started")
        pbx.channels = [
            channel(agent, "201", "Up", "AppDial"),
            channel(new, "+48600100202", "Up"),
        ]
        pbx.bridges = [{"id": "b-1", "bridge_type": "mixing", "channels": [agent, new]}]
        pbx.drop()
        events = await types(
            bus, account,
            "call.started", "channel.interrupted", "call.ended", "call.started", "call.answered",
        )  # fmt: skip
        pbx.say(event("ChannelHold", channel(agent, "201", "Up", "AppDial")))
        kinds = [each.type for each in events]
        (*_, held) = await types(bus, account, *kinds, "call.held")
    assert (events[2].open.provider_id, events[2].open.outcome) == (gone, "lost-sight")
    assert {each.open.contact_id for each in events[3:]} == {held.open.contact_id}
    assert events[3].personal.handles[-1].value == "+48600100202"


async def test_callers_who_wait_in_one_room_are_several_calls(bus: Bus) -> None:
    """A holding bridge joins nobody."""
    account = "ari-wait"
    first, second = "1795338800.4", "1795338800.5"
    async with ari_exchange() as pbx:
        pbx.channels = [channel(first, "+48600100204"), channel(second, "+48600100205")]
        pbx.bridges = [{"id": "b-2", "bridge_type": "holding", "channels": [first, second]}]
        async with reading(make(bus, account, ari=pbx.address)):
            events = await types(bus, account, *["call.started"] * 2, *["call.answered"] * 0)
    assert len({each.open.contact_id for each in events}) == 2


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (b'{"type":\n"Dial","a":"\x00"}', "Dial"),
        (b'\xef\xbb\xbf{"type":\r\n"Dial"}', "Dial"),
        (b'{"type":"Dial"}\n{"type":"Dial"}', None),
        ('{"type":"Dial"}'.encode("utf-16"), None),
        (b'{"type":"Dial","a":"\xff"}', None),
        (b'{"type":\n"Dial","a":"\xff"}', None),
    ],
)
def test_an_odd_event_ends_nothing_and_spoils_no_other(said: bytes, name: str | None) -> None:
    """It stands on one line among the others of its delivery, and they are read as if it were not there."""
    piece = ari_session.event_of(said)
    assert (piece and piece.record.name) == name
    plain = '{"type":"StasisEnd","who":"Łucja"}\n'.encode()
    body = plain + (piece.raw if piece else b"") + plain
    found = pbx_stream.read(body)
    assert found is not None
    assert [each.name for each in found[0]] == ["StasisEnd", *([name] if name else []), "StasisEnd"]
    assert found[0][0].fields["who"] == "Łucja"


async def test_a_socket_that_says_too_much_is_opened_anew(bus: Bus) -> None:
    """What is no JSON costs itself; what is beyond all measure the socket."""
    async with ari_exchange() as pbx:
        reader = make(bus, "ari-too-much", ari=pbx.address)
        async with reading(reader):
            await asked(bus, "ari-too-much")
            pbx.say("not JSON")
            pbx.say("x" * 300_000)
            await asked(bus, "ari-too-much", 2)


async def test_an_exchange_that_ends_is_a_trouble(bus: Bus) -> None:
    """Until it answers again."""
    async with ari_exchange() as pbx:
        reader = make(bus, "ari-ends", ari=pbx.address)
        async with reading(reader):
            await asked(bus, "ari-ends")
            await pbx.stop()
            await troubled(reader, "provider.unavailable")


async def test_who_is_not_let_in_is_a_trouble(bus: Bus) -> None:
    """By the password, or from the lists; and where something else answers."""
    async with ari_exchange() as pbx:
        wrong = make(bus, "ari-wrong", ari=pbx.address, password="other")
        elsewhere = make(bus, "ari-else", ari=pbx.address.replace("/ari?", "/ari/channels?"))
        async with reading(wrong, elsewhere):
            await troubled(wrong, "provider.refused")
            pbx.may_ask = False
            blind = make(bus, "ari-blind", ari=pbx.address)
            async with reading(blind):
                await troubled(blind, "provider.refused")
                pbx.say(event("ChannelCreated", channel("1795338800.6", "+48600100206")))
                await types(bus, "ari-blind", "call.started")
