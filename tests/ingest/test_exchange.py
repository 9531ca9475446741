"""An exchange that is listened to over TCP: every event once, whatever breaks, and what happened in a gap."""

from pathlib import Path

import pytest

from deploy.embedded.ports import free_ports
from services.ingest.domain import ami as manager
from services.ingest.domain import pbx_memory
from services.ingest.handlers import exchange_session
from shared import exchange_address
from shared.bus import Bus
from tests.fakes.exchange import PASSWORD, USER, FakeExchange, exchange
from tests.ingest.exchange_listening import (
    asked,
    bus,
    deliveries,
    make,
    quick,
    told,
    troubled,
    types,
)
from tests.ingest.remote_readers import reading
from tests.ingest.running_ingest import GOLDEN, parsed, raw, running, until
from tests.support.servers import EmbeddedNats

__all__ = ["bus", "quick"]

TRACE = (GOLDEN / "asterisk_queue_call.ami").read_bytes().partition(b"\r\n\r\n")[2]
"""What a real exchange says of a call, behind the answer to the login."""


def block(event: str, call: str, leg: str = "", **fields: str) -> bytes:
    """One event about a leg of a call."""
    about = {"Event": event, "Uniqueid": leg or call, "Linkedid": call, **fields}
    return ("".join(f"{name}: {value}\r\n" for name, value in about.items()) + "\r\n").encode()


def rings(call: str, number: str, event: str = "Newchannel") -> bytes:
    """A customer calls."""
    return block(event, call, ChannelStateDesc="Ring", CallerIDNum=number, Exten="221234567")


def listed(call: str, number: str, state: str = "Ring") -> bytes:
    """A channel among those that there are, without the line that names the event."""
    whole = block("", call, ChannelStateDesc=state, CallerIDNum=number, Exten="221234567")
    return whole.partition(b"\r\n")[2]


# -- the stream -------------------------------------------------------------------------------------------


async def test_a_trace_that_is_played_over_tcp_is_told_as_if_it_came_at_once(bus: Bus) -> None:
    """In pieces that end anywhere; the password is proved and said nowhere."""
    account = "trace"
    async with exchange() as pbx, reading(make(bus, account, ami=pbx.address)):
        await asked(bus, account)
        for start in range(0, len(TRACE), 997):
            pbx.say(TRACE[start : start + 997])
            await pbx.until_heard()
        whole = parsed(raw("asterisk", TRACE, path=pbx_memory.MORE_MARK))
        events = await types(bus, account, *(each.type for each in whole))
    assert {each.open.provider_id for each in events} == {each.open.provider_id for each in whole}
    assert {each.personal.handles[-1].value for each in events} == {"+48600100200"}
    assert len({each.open.contact_id for each in events}) == 1
    everything = b"".join(each.body for each in await deliveries(bus, account))
    assert PASSWORD.encode() not in everything + bytes(pbx.told)
    assert b"Login" in pbx.told


async def test_events_in_one_burst_are_one_delivery(bus: Bus) -> None:
    """And their order is kept."""
    account = "burst"
    async with exchange() as pbx, reading(make(bus, account, ami=pbx.address)):
        await asked(bus, account)
        pbx.say(b"".join(rings(f"1795340000.{k}", "+48600100200") for k in range(200)))
        events = await types(bus, account, *["call.started"] * 200)
    assert [each.open.provider_id for each in events] == [f"1795340000.{k}" for k in range(200)]
    assert len(await deliveries(bus, account)) < 10


async def test_an_internal_call_stays_ignored_when_another_leg_is_told_of_later(bus: Bus) -> None:
    """What was told before of the call goes before it, and is not told again."""
    account = "inside"
    async with exchange() as pbx, reading(make(bus, account, ami=pbx.address)):
        await asked(bus, account)
        pbx.say(block("Newchannel", "1.1", CallerIDNum="201", Exten="202"))
        await until(lambda: _count(bus, account, 2))
        pbx.say(block("Hold", "1.1", "1.2", Timestamp="1795340000.5"))
        pbx.say(rings("1795340000.9", "+48600100200"))
        await types(bus, account, "call.started")
        pbx.say(block("DialEnd", "1795340000.9", DialStatus="BUSY", DestUniqueid="1.5"))
        await until(lambda: _count(bus, account, 4))
        pbx.say(block("Hangup", "1795340000.9", ChannelStateDesc="Ring", Cause="0"))
        events = await types(bus, account, "call.started", "call.missed")
    assert events[-1].open.outcome == "busy"


async def _count(bus: Bus, account: str, least: int) -> bool | None:
    return True if len(await deliveries(bus, account)) >= least else None


async def test_a_running_ingest_tells_the_calls_of_an_exchange(
    ingest_nats: EmbeddedNats, tmp_path: Path
) -> None:
    """One account listens; the others, though they have the same rules, do not."""
    async with exchange() as pbx:
        rules, port = f"ami: '{pbx.address}'", free_ports(1)[0]
        secrets = f"DOOR_USER={USER}\nDOOR_PASSWORD={PASSWORD}\n"
        async with running(
            ingest_nats.url, tmp_path, port=port, rules=rules, secrets=secrets
        ) as ingest:
            await until(lambda: _logged_in(pbx))
            pbx.say(rings("1795340000.10", "+48600100210"))
            (event,) = await ingest.contacts("asterisk", 1)
            assert pbx.logins == 1
    assert event["type"] == "call.started"


async def _logged_in(pbx: FakeExchange) -> bool | None:
    return True if pbx.logins else None


# -- gaps ---------------------------------------------------------------------------------------------------


async def test_what_happened_while_nobody_listened_is_reconciled(bus: Bus) -> None:
    """One call is gone, one goes on, one is new; the connection broke in the middle of an event."""
    account = "gap"
    gone, on, new = "1795340000.1", "1795340000.2", "1795340000.3"
    async with exchange() as pbx, reading(make(bus, account, ami=pbx.address)):
        await asked(bus, account)
        pbx.say(rings(gone, "+48600100201") + rings(on, "+48600100202"))
        pbx.say(block("Newstate", gone, ChannelStateDesc="Up", CallerIDNum="+48600100201"))
        await types(bus, account, "call.started", "call.started", "call.answered")
        pbx.channels = [listed(on, "+48600100202", "Up"), listed(new, "+48600100203")]
        pbx.say(block("Hangup", gone)[:-9])
        pbx.drop()
        await asked(bus, account, 2)
        events = await types(
            bus, account, "call.started", "call.started", "call.answered",
            "channel.interrupted", "call.ended", "call.answered", "call.started",
        )  # fmt: skip
        pbx.say(block("Hangup", on, ChannelStateDesc="Up", Cause="16"))
        (*_, ended) = await types(bus, account, *(each.type for each in events), "call.ended")
    gap, lost, answered, begun = events[3:]
    assert (lost.open.provider_id, lost.open.outcome) == (gone, "lost-sight")
    assert lost.personal.handles[-1].value == "+48600100201"
    assert lost.open.provider_time == gap.open.until
    assert gap.open.since < gap.open.until
    assert gap.aggregate == f"chan-asterisk-{account}"
    assert (answered.open.provider_id, begun.open.provider_id) == (on, new)
    assert begun.personal.handles[-1].value == "+48600100203"
    assert (ended.open.provider_id, ended.open.outcome) == (on, "completed")


async def test_who_begins_anew_knows_from_raw_which_calls_there_were(bus: Bus) -> None:
    """The process ended: nothing is known but what it stored."""
    account, call = "restart", "1795340000.4"
    async with exchange() as pbx:
        async with reading(make(bus, account, ami=pbx.address)):
            await asked(bus, account)
            pbx.say(rings(call, "+48600100204"))
            await types(bus, account, "call.started")
        async with reading(make(bus, account, ami=pbx.address)):
            events = await types(bus, account, "call.started", "channel.interrupted", "call.ended")
            assert events[-1].open.outcome == "lost-sight"
            pbx.channels = [listed(call, "+48600100204")]
            pbx.drop()
            await asked(bus, account, 3)
            pbx.drop()
            await asked(bus, account, 4)
            found = [each.type for each in await told(bus, account)]
    assert found == [
        "call.started",
        "channel.interrupted",
        "call.ended",
        "channel.interrupted",
        "channel.interrupted",
    ]


async def test_an_end_that_came_beside_the_answer_is_the_end(bus: Bus) -> None:
    """The exchange no longer names the call, and says how it ended."""
    account, call = "beside", "1795340000.5"
    async with exchange() as pbx, reading(make(bus, account, ami=pbx.address)):
        await asked(bus, account)
        pbx.say(rings(call, "+48600100205"))
        await types(bus, account, "call.started")
        pbx.before_answer = lambda: pbx.say(
            block("Hangup", call, ChannelStateDesc="Ring", Cause="17")
        )
        pbx.drop()
        events = await types(bus, account, "call.started", "channel.interrupted", "call.missed")
    assert events[-1].open.outcome == "busy"


async def test_what_was_named_and_had_ended_is_not_begun_again(bus: Bus) -> None:
    """The list was made before the end was told."""
    account, call = "named", "1795340000.6"
    async with exchange() as pbx, reading(make(bus, account, ami=pbx.address)):
        await asked(bus, account)
        pbx.say(rings(call, "+48600100206") + block("Hangup", call, ChannelStateDesc="Ring"))
        await types(bus, account, "call.started", "call.missed")
        pbx.channels = [listed(call, "+48600100206")]
        pbx.drop()
        await asked(bus, account, 2)
        pbx.channels = []
        pbx.drop()
        await asked(bus, account, 3)
        found = [each.type for each in await told(bus, account)]
    assert found == ["call.started", "call.missed", "channel.interrupted", "channel.interrupted"]


async def test_two_who_listen_tell_what_one_tells(bus: Bus) -> None:
    """Each stores its own deliveries; the facts are the same, and no call of the other's is lost sight of."""
    account = "both"
    async with exchange() as pbx:
        readers = [make(bus, account, ami=pbx.address) for _ in range(2)]
        async with reading(*readers):
            await asked(bus, account, 2)
            half = TRACE.index(b"Event: Hold")
            pbx.say(TRACE[:half])
            await until(lambda: _count(bus, account, 4))
            pbx.say(TRACE[half:])
            whole = parsed(raw("asterisk", TRACE, path=pbx_memory.MORE_MARK))
            events = await types(bus, account, *(each.type for each in whole))
    assert {each.open.provider_id for each in events} == {each.open.provider_id for each in whole}


# -- what breaks --------------------------------------------------------------------------------------------


async def test_an_exchange_that_freezes_is_noticed(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection stays open and says nothing; it is opened anew."""
    monkeypatch.setattr(exchange_session, "SILENCE_SECONDS", 0.1)
    monkeypatch.setattr(exchange_session, "TIMEOUT_SECONDS", 0.5)
    account = "frozen"
    async with exchange() as pbx:
        reader = make(bus, account, ami=pbx.address)
        async with reading(reader):
            await asked(bus, account)
            await until(lambda: _said(pbx, b"Ping"))
            assert pbx.logins == 1
            pbx.frozen = True
            await troubled(reader, "provider.unavailable")
            pbx.frozen = False
            await troubled(reader, None)
            assert pbx.logins >= 2


async def _said(pbx: FakeExchange, what: bytes) -> bool | None:
    return True if what in pbx.told else None


@pytest.mark.parametrize(
    ("greeting", "code"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "provider.not_understood"),
        (b"x" * 4_096, "provider.not_understood"),
        (b"", "provider.unavailable"),
    ],
)
async def test_what_is_no_exchange_is_a_trouble(
    bus: Bus, monkeypatch: pytest.MonkeyPatch, greeting: bytes, code: str
) -> None:
    """Something else listens there, or says nothing at all."""
    monkeypatch.setattr(exchange_session, "TIMEOUT_SECONDS", 0.5)
    async with exchange(banner=greeting, frozen=True) as pbx:
        reader = make(bus, "other", ami=pbx.address)
        async with reading(reader):
            await troubled(reader, code)
    assert PASSWORD.encode() not in pbx.told


async def test_who_is_not_let_in_is_a_trouble(bus: Bus) -> None:
    """And where nobody listens; and an account without its secrets."""
    async with exchange() as pbx:
        wrong = make(bus, "wrong", ami=pbx.address, password="other")
        broken = make(bus, "broken", ami=pbx.address, password="a\r\nAction: Originate")
        bare = make(bus, "bare", ami=pbx.address, password=None)
        away = make(bus, "away", ami="tcp://127.0.0.1:1")
        async with reading(wrong, broken, bare, away):
            await troubled(wrong, "provider.refused")
            await troubled(broken, "provider.refused")
            await troubled(bare, "provider.without_secrets")
            await troubled(away, "provider.unavailable")
    assert b"Originate" not in pbx.told


async def test_who_may_not_ask_for_calls_listens_all_the_same(bus: Bus) -> None:
    """It is a trouble: a gap cannot be reconciled."""
    account = "mayask"
    async with exchange(may_ask=False) as pbx:
        reader = make(bus, account, ami=pbx.address)
        async with reading(reader):
            await troubled(reader, "provider.refused")
            pbx.say(rings("1795340000.7", "+48600100207"))
            await types(bus, account, "call.started")
            assert reader.trouble is not None


@pytest.mark.parametrize(
    "flood",
    [b"Event: Newchannel\r\nCallerIDName: " + b"x" * 600_000, b"A: 1\r\n" * 200_000],
    ids=["a line without end", "lines without end"],
)
async def test_a_record_without_end_is_given_up(bus: Bus, flood: bytes) -> None:
    """The connection is opened anew, and what comes then is told."""
    account = f"flood-{len(flood)}"
    async with exchange() as pbx:
        reader = make(bus, account, ami=pbx.address)
        async with reading(reader):
            await asked(bus, account)
            pbx.say(flood)
            await troubled(reader, "provider.not_understood")
            await asked(bus, account, 2)
            pbx.say(rings("1795340000.8", "+48600100208"))
            await types(bus, account, "channel.interrupted", "call.started")


def test_what_looks_like_a_line_of_its_own_in_a_name_is_none() -> None:
    """A line feed alone ends a line, as the parser of deliveries has it; the first field of a name counts."""
    odd = "Event: Newchannel\r\nUniqueid: 1.1\r\nCallerIDName: a\nEvent: Hangup\nUniqueid: 1.2\r\n\r\n"
    pieces = list(manager.BlockReader().feed(b"Asterisk Call Manager/5\r\n" + odd.encode()))
    assert [(e.record.name, e.record.fields["uniqueid"]) for e in pieces] == [("Newchannel", "1.1")]


def test_an_empty_line_is_one_wherever_the_connection_cuts_it() -> None:
    """Also one that holds blanks: two records that were taken for one would be one call."""
    said = b"Asterisk Call Manager/5\r\nEvent: A\r\n      \r\nEvent: B\r\n\r\n"
    for cut in range(1, len(said)):
        reader = manager.BlockReader()
        pieces = [*reader.feed(said[:cut]), *reader.feed(said[cut:])]
        assert [each.record.name for each in pieces] == ["A", "B"], cut


# -- the address --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "port", "encrypted"),
    [("tcp://pbx.example", 5038, False), ("tls://pbx.example", 5039, True), ("tcp://[::1]:9", 9, False)],
)  # fmt: skip
def test_an_exchange_has_an_address(written: str, port: int, encrypted: bool) -> None:
    """Its usual ports, or another."""
    address = exchange_address.ami(written)
    assert (address.port, address.encrypted) == (port, encrypted)


@pytest.mark.parametrize(
    ("ami_written", "ari_written"),
    [("http://pbx.example", None), ("tcp://", None), ("tcp://u:p@pbx.example", None), ("tcp://pbx.example/x", None),
     ("tcp://pbx.example:port", None), (None, "tcp://pbx.example"), (None, "http://pbx.example:8088/ari"),
     (None, "https://u:p@pbx.example"), (None, "https://pbx.example?app=a%20b"), (None, "https://pbx.example?x=1"),
     ("tcp://pbx.example", "https://pbx.example"), (f"tls://{'a' * 64}.example", None), ("tls://pbx..example", None),
     (None, "https://pbx .example"), (None, f"https://{'a' * 64}")],
)  # fmt: skip
def test_what_is_no_address_is_complained_of(
    ami_written: str | None, ari_written: str | None
) -> None:
    """A password has no place in a policy, and goes over no line unencrypted."""
    assert exchange_address.complaint(ami_written, ari_written)


def test_ari_has_a_base_and_an_application() -> None:
    """Which a recording is fetched under too."""
    address = exchange_address.ari("https://pbx.example/pbx/ari?app=shop")
    assert (address.base, address.application) == ("https://pbx.example:8089/pbx/ari", "shop")
    assert exchange_address.ari("http://[::1]").base == "http://[::1]:8088/ari"
