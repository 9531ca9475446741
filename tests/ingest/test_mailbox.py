"""A mailbox that is read, against a real IMAP server: each mail once, whatever ends, and nothing is changed there."""

import time
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.embedded.ports import free_ports
from services.ingest.channels import CHANNELS, email
from services.ingest.handlers import raw_marks, remote_reader
from services.ingest.handlers.accounts import Door
from services.ingest.handlers.body_store import BodyStore
from services.ingest.handlers.mailbox import Mailbox
from services.ingest.handlers.raw_store import PATH_FIELD, RawStore
from shared import ensuring, mailbox_address, streams, subjects
from shared.backoff import Backoff
from shared.bus import Bus, connect
from shared.bus.deliveries import StoredMessage
from shared.clock import SystemClock
from shared.mailbox_address import MailboxAddress, Mark
from shared.policy import Account
from tests.ingest.remote_readers import reading
from tests.ingest.running_ingest import parsed, raw, running, stored, until
from tests.support import dovecot as servers
from tests.support.dovecot import Dovecot
from tests.support.servers import EmbeddedNats

TENANT = "mailboxes"
MAIL_MAX_BYTES = 300_000

needs_dovecot = pytest.mark.skipif(
    servers.PROGRAM is None, reason="dovecot is not installed (dovecot-imapd)"
)


def mail(name: str, text: str = "Hello") -> bytes:
    """A mail of a name of its own."""
    return (
        f"From: Anna <anna@customer.example>\r\nTo: help@shop.example\r\nSubject: {name}\r\n"
        f"Message-ID: <{name}@customer.example>\r\n\r\n{text}\r\n"
    ).encode()


# -- the address and the mark -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("imaps://mx.example", MailboxAddress("mx.example", 993, encrypted=True)),
        ("imaps://mx.example:9993/A%20B", MailboxAddress("mx.example", 9993, encrypted=True, folder="A B")),
        ("imap://localhost/INBOX", MailboxAddress("localhost", 143, encrypted=False)),
        ("imaps://mx.example/?since=2026-11-01",
         MailboxAddress("mx.example", 993, encrypted=True, since=date(2026, 11, 1))),
    ],
)  # fmt: skip
def test_a_mailbox_has_an_address(written: str, address: MailboxAddress) -> None:
    """Server, port, folder, and from when on; the folder is INBOX where none is named."""
    assert mailbox_address.parse(written) == address
    assert mailbox_address.complaint(written) is None


@pytest.mark.parametrize(
    "written",
    ["", "https://mx.example", "imaps://", "imaps://anna:secret@mx.example/INBOX", "imaps://mx.example:port/",
     "imaps://mx.example/?since=yesterday", "imaps://mx.example/?until=2026-11-01", "imaps://mx.example/?since"],
)  # fmt: skip
def test_what_is_no_address_is_complained_of(written: str) -> None:
    """A password has no place in a policy."""
    assert mailbox_address.complaint(written)


def test_only_this_machine_is_read_without_encryption() -> None:
    """Everybody else's server has to offer STARTTLS."""
    here = ("imap://localhost", "imap://127.0.0.1", "imap://[::1]")
    assert all(mailbox_address.parse(each).here for each in here)
    assert not any(
        mailbox_address.parse(each).here for each in ("imap://mx.example", "imap://192.0.2.1")
    )


def test_a_mark_survives_raw() -> None:
    """Whatever the folder is called; a path of the door is no mark."""
    mark = Mark("Support;UIDVALIDITY=1/ Zażółć", 1_700_000_000, 42)
    assert mailbox_address.mark(mark.url) == mark
    assert mailbox_address.mark("/in/demo/email/main") is None


def test_when_a_mail_came_there_is_its_time_where_it_was_read_from_a_mailbox() -> None:
    """The door's senders cannot say so."""
    headers = [("imap-internaldate", "2026-11-21T08:00:00+00:00")]
    (read,) = parsed(raw("email", mail("a"), headers=headers, path=Mark("INBOX", 1, 2).url))
    (sent,) = parsed(raw("email", mail("a"), headers=headers))
    assert str(read.open.provider_time) == "2026-11-21 08:00:00+00:00"
    assert (sent.open.provider_time, sent.id) == (None, read.id)


# -- a real server ----------------------------------------------------------------------------------------


@pytest_asyncio.fixture
async def dovecot() -> AsyncIterator[Dovecot]:
    """A server with an empty mailbox."""
    async with servers.dovecot() as server:
        yield server


@pytest_asyncio.fixture
async def bus(ingest_nats: EmbeddedNats, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bus]:
    """A bus with the streams; what is tried again is tried soon."""
    monkeypatch.setattr(remote_reader, "RETRY", Backoff(first_seconds=0.1, longest_seconds=0.3))
    connected = await connect(ingest_nats.url, "tests")
    try:
        await ensuring.ensure(
            connected, streams.WantedStreams(streams=streams.stream_configs(), consumers=[])
        )
        yield connected
    finally:
        await connected.close()


def make(bus: Bus, server: Dovecot, account: str, *, password: str = servers.PASSWORD) -> Mailbox:
    """A reader of the server's mailbox."""
    rules = Account(queue="hotline", imap=server.address)
    door = Door(
        TENANT, CHANNELS["email"], account, rules, {"user": servers.USER, "password": password}
    )
    return Mailbox(door, bus, RawStore(bus, BodyStore(bus), 8_192), SystemClock(), MAIL_MAX_BYTES)


async def held(bus: Bus, account: str) -> list[StoredMessage]:
    """What RAW holds of an account."""
    return await stored(bus, streams.RAW, subjects.raw(TENANT, email.NAME, account))


async def arrived(bus: Bus, account: str, *wanted: bytes) -> None:
    """Wait until RAW holds these and no others, in this order."""

    async def look() -> bool | None:
        return True if [each.body for each in await held(bus, account)] == list(wanted) else None

    await until(look)


@needs_dovecot
async def test_mails_are_read_once_in_order_and_nothing_is_changed_there(
    bus: Bus, dovecot: Dovecot
) -> None:
    """Those that lay there, one that comes while we wait, and one that came while nobody read."""
    first, second, third, fourth = (mail(f"m{k}") for k in range(4))
    dovecot.append(first, second)
    async with reading(make(bus, dovecot, "once")):
        await arrived(bus, "once", first, second)
        dovecot.append(third)
        await arrived(bus, "once", first, second, third)
    dovecot.append(fourth)
    async with reading(make(bus, dovecot, "once")):
        await arrived(bus, "once", first, second, third, fourth)
    with dovecot.opened() as client:
        uids = client.search("ALL")
        flags = client.get_flags(uids)
    assert len(uids) == 4
    assert not any(b"\\Seen" in each or b"\\Deleted" in each for each in flags.values())


@needs_dovecot
async def test_two_who_read_one_mailbox_store_each_mail_once(bus: Bus, dovecot: Dovecot) -> None:
    """Whoever is overtaken looks again how far it was read."""
    mails = [mail(f"m{k}") for k in range(12)]
    dovecot.append(*mails)
    async with reading(*(make(bus, dovecot, "both") for _ in range(3))):
        await arrived(bus, "both", *mails)
        more = [mail(f"n{k}") for k in range(4)]
        dovecot.append(*more)
        await arrived(bus, "both", *mails, *more)


@needs_dovecot
async def test_deliveries_of_the_door_do_not_hide_how_far_it_was_read(
    bus: Bus, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They stand behind the mailbox's last mail, more than are looked at in one go."""
    monkeypatch.setattr(raw_marks, "LOOKED_BACK", 2)
    monkeypatch.setattr(raw_marks, "LOOK_BATCH", 2)
    first, second = mail("m1"), mail("m2")
    dovecot.append(first)
    async with reading(make(bus, dovecot, "doors")):
        await arrived(bus, "doors", first)
    subject = subjects.raw(TENANT, email.NAME, "doors")
    posted = [f"posted {k}".encode() for k in range(7)]
    for each in posted:
        await bus.store(subject, each, headers={PATH_FIELD: "/in/mailboxes/email/doors"})
        await bus.store(subjects.raw(TENANT, email.NAME, "others"), each)
    dovecot.append(second)
    async with reading(make(bus, dovecot, "doors")):
        await arrived(bus, "doors", first, *posted, second)


@needs_dovecot
async def test_a_mail_larger_than_is_taken_is_read_from_its_beginning(
    bus: Bus, dovecot: Dovecot
) -> None:
    """What she wrote stands there; the mailbox keeps the rest."""
    large = mail(
        "large", "The lamp is broken.\r\n" + "x" * 70 + "\r\n" + ("y" * 70 + "\r\n") * 6_000
    )
    dovecot.append(large, mail("small"))
    async with reading(make(bus, dovecot, "large")):
        await until(lambda: _count(bus, "large", 2))
    taken, small = await held(bus, "large")
    assert small.body == mail("small")
    assert taken.body == b""  # it stands in BODIES
    parts = await stored(bus, streams.BODIES, f"body.{TENANT}.*.*")
    assert b"".join(each.body for each in parts) == large[:MAIL_MAX_BYTES]


async def _count(bus: Bus, account: str, count: int) -> bool | None:
    return True if len(await held(bus, account)) == count else None


@needs_dovecot
async def test_a_server_that_ends_is_a_trouble_until_it_is_back(bus: Bus, dovecot: Dovecot) -> None:
    """It is tried again; what came meanwhile is read."""
    reader = make(bus, dovecot, "ends")
    async with reading(reader):
        dovecot.append(mail("m1"))
        await arrived(bus, "ends", mail("m1"))
        assert reader.trouble is None
        await dovecot.stop()
        await until(lambda: _troubled(reader, "provider.unavailable"))
        await dovecot.start()
        dovecot.append(mail("m2"))
        await arrived(bus, "ends", mail("m1"), mail("m2"))
        await until(lambda: _troubled(reader, None))


async def _later(second: int) -> bool | None:
    return True if time.time() > second + 1 else None


async def _troubled(reader: Mailbox, code: str | None) -> bool | None:
    return True if (reader.trouble.code if reader.trouble else None) == code else None


@needs_dovecot
async def test_who_is_not_let_in_is_a_trouble_of_his_account_alone(
    bus: Bus, dovecot: Dovecot
) -> None:
    """Another account's mailbox is read on."""
    refused, good = make(bus, dovecot, "refused", password="wrong"), make(bus, dovecot, "good")
    dovecot.append(mail("m1"))
    async with reading(refused, good):
        await arrived(bus, "good", mail("m1"))
        await until(lambda: _troubled(refused, "provider.refused"))
        assert refused.trouble is not None
        assert refused.trouble.about == f"{TENANT}/email/refused"
        assert good.trouble is None
    assert not await held(bus, "refused")


async def test_a_mailbox_without_its_secrets_is_a_trouble(bus: Bus) -> None:
    """It needs no server to know that."""
    rules = Account(queue="hotline", imap="imap://127.0.0.1:1/INBOX")
    door = Door(TENANT, CHANNELS["email"], "bare", rules, {"user": "u"})
    reader = Mailbox(door, bus, RawStore(bus, BodyStore(bus), 8_192), SystemClock(), MAIL_MAX_BYTES)
    async with reading(reader):
        await until(lambda: _troubled(reader, "provider.without_secrets"))


@needs_dovecot
async def test_uids_that_begin_anew_are_read_again_and_told_once(
    ingest_nats: EmbeddedNats, tmp_path: Path, dovecot: Dovecot
) -> None:
    """Also a mail without an id; in RAW they stand twice, among the contacts once."""
    nameless = mail("m2").replace(b"Message-ID", b"X-Other")
    dovecot.append(mail("m1"), nameless)
    secrets = f"DOOR_USER={servers.USER}\nDOOR_PASSWORD={servers.PASSWORD}\n"
    rules = f"imap: '{dovecot.address}'"
    port = free_ports(1)[0]
    async with running(
        ingest_nats.url, tmp_path, port=port, rules=rules, secrets=secrets
    ) as ingest:
        await ingest.contacts("email", 2)
        await dovecot.stop()
        dovecot.forget_uids()
        ended = int(time.time())
        await until(lambda: _later(ended))  # the new validity is a time in seconds
        await dovecot.start()
        dovecot.append(mail("m3"))
        events = await ingest.contacts("email", 3)
        await ingest.normalised("email")
        assert len(await ingest.raw("email")) == 5
        events = await ingest.contacts("email", 3)
    assert [each["data"]["personal"]["title"] for each in events] == ["m1", "m2", "m3"]
    assert all(each["data"]["open"]["provider_time"] for each in events)
