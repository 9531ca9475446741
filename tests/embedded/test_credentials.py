"""Keys and certificates of the bus: exchanged while events flow, believed by TLS, and a clear word for an old one."""

import asyncio
import contextlib
import gc
import json
import os
import signal
import ssl
import subprocess
import warnings
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy import bus_users
from deploy.embedded import nats, process, wire
from deploy.embedded.ports import LOOPBACK
from shared import errors, nkey, settings
from shared.bus import Bus, connect
from shared.bus.bulk import pull_in_bulk
from shared.bus_address import BusAddress
from shared.serving import connected
from tests.support.servers import EmbeddedNats
from tests.support.waiting import eventually

STREAM = {"name": "CONTACTS", "subjects": ["contact.>"], "storage": "file", "allow_direct": True}
EVENTS = 60
STOPPED_SECONDS = 15.0


class Place:
    """A server with the users of a cell, whose keys can be exchanged while it runs."""

    def __init__(self, folder: Path) -> None:
        self.users = folder / "users"
        bus_users.make(self.users)
        self.server = EmbeddedNats(folder / "nats", users=self.users)

    def address(self, user: str) -> BusAddress:
        """Where the bus is, for a user by the seed of now."""
        return BusAddress(url=self.server.url, seed_file=str(bus_users.seed_file(self.users, user)))

    def reload(self) -> None:
        """Have the server read its users anew."""
        bus_users.make(self.users)
        assert self.server.pid is not None
        os.kill(self.server.pid, signal.SIGHUP)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    """A server of a test's own, with the stream CONTACTS."""
    found = Place(tmp_path)
    async with found.server:
        bus = await connect(found.address("bootstrap"), "bootstrap")
        await bus.api("STREAM.CREATE.CONTACTS", STREAM)
        await bus.close()
        yield found


async def test_keys_are_exchanged_while_events_flow_and_nothing_is_lost(place: Place) -> None:
    """New keys beside the old ones, then each program anew, then the old ones count no more: all that was acknowledged
    stands there, once, and nobody who has the new key was disconnected."""
    stored: list[int] = []
    bus = await connect(place.address("ingest"), "ingest")
    await _store(bus, stored, EVENTS)

    bus_users.rotate(place.users, ["ingest"])
    place.reload()
    await _store(bus, stored, EVENTS)  # by the old key, which still counts
    assert bus.generation == 0

    newer = await connect(place.address("ingest"), "ingest")
    await _store(newer, stored, EVENTS)
    bus_users.retire(place.users)
    place.reload()
    await eventually(lambda: _is_closed(bus))
    assert isinstance(bus.standing.reason, errors.BusUnauthorized)
    await _store(newer, stored, EVENTS)
    assert newer.generation == 0

    assert (await newer.api("STREAM.INFO.CONTACTS"))["state"]["messages"] == len(stored)
    assert stored == list(range(1, 4 * EVENTS + 1))
    for each in (bus, newer):
        await each.close()


async def _store(bus: Bus, stored: list[int], events: int) -> None:
    for _ in range(events):
        number = len(stored) + 1
        ack = await bus.store(f"contact.1.demo.form.e{number}", b"{}", msg_id=f"e{number}")
        stored.append(ack.sequence)


async def _is_closed(bus: Bus) -> bool:
    return bus.closed


async def test_who_comes_with_an_old_key_is_told_so(place: Place, tmp_path: Path) -> None:
    """At once, with a code of its own: by a plain connection, by that of a service, by the command line."""
    old = tmp_path / "old.seed"
    nkey.make(old)
    address = BusAddress(url=place.server.url, seed_file=str(old))
    with pytest.raises(errors.BusUnauthorized):
        await connect(address, "test")
    with pytest.raises(errors.BusUnauthorized):
        await connect(place.server.url, "test")
    chosen = settings.load(
        {"TELLONCE_NATS_URL": place.server.url, "TELLONCE_NATS_SEED_FILE": str(old)}
    )
    with pytest.raises(errors.BusUnauthorized):
        await connected(chosen, "router", asyncio.Event()).__aenter__()
    with (
        warnings.catch_warnings()
    ):  # FastStream leaves the socket of a refused connection to the garbage
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    with pytest.raises(wire.NotReached, match="Authorization"):
        await wire.request(address, "query.demo.position", timeout_seconds=5)


async def test_a_service_whose_key_is_taken_away_ends_and_says_why(place: Place) -> None:
    """Whoever supervises it starts it again, and it reads the seed of now."""
    chosen = settings.load(
        {
            "TELLONCE_NATS_URL": place.server.url,
            "TELLONCE_NATS_SEED_FILE": place.address("router").seed_file,
        }
    )
    stop = asyncio.Event()

    async def served_until_stopped() -> None:
        async with connected(chosen, "router", stop):
            bus_users.rotate(place.users, ["router"])
            bus_users.retire(place.users)
            place.reload()
            await asyncio.wait_for(stop.wait(), STOPPED_SECONDS)

    with pytest.raises(errors.BusUnauthorized):
        await served_until_stopped()
    async with connected(chosen, "router", asyncio.Event()) as here:
        assert here.bus.connected


async def test_a_key_that_is_gone_after_a_restart_of_the_server_ends_the_connection(
    place: Place,
) -> None:
    """It would otherwise knock for ever."""
    bus = await connect(place.address("ingest"), "ingest")
    bus_users.rotate(place.users, ["ingest"])
    bus_users.retire(place.users)
    bus_users.make(place.users)
    await place.server.restart()
    await eventually(lambda: _is_closed(bus))
    with pytest.raises(errors.BusUnauthorized):
        await bus.request("query.demo.known")


@pytest.mark.parametrize("content", [None, b"", b"SUANOSEED", b"\xff\xfe"])
def test_a_file_that_holds_no_seed_is_refused(tmp_path: Path, content: bytes | None) -> None:
    """By name, before anybody is asked."""
    file = tmp_path / "seed"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(errors.SettingInvalid):
        nkey.read(file)


# -- TLS ------------------------------------------------------------------------------------------------


@dataclass
class Secure:
    """A server that speaks TLS only. `child`: its process of now."""

    address: BusAddress
    program: process.Program
    child: process.Child

    @property
    def settings(self) -> settings.Settings:
        """As a service has them."""
        return settings.Settings(
            nats_url=self.address.url,
            nats_seed_file=self.address.seed_file,
            nats_ca_file=self.address.ca_file,
        )


@pytest.fixture
async def secure(tmp_path: Path) -> AsyncIterator[Secure]:
    """A server that speaks TLS only, and knows its users; its certificate is of an authority made for this."""
    certificates, users = tmp_path / "tls", tmp_path / "users"
    certificates.mkdir()
    _certify(certificates)
    bus_users.make(users)
    ports = nats.choose_ports()[0]
    program = nats.nats_program(tmp_path / "nats", ports, users=users)
    program.before_start()
    config = tmp_path / "nats" / "secure.conf"
    tls = {"cert_file": str(certificates / "server.pem"), "key_file": str(certificates / "key.pem")}
    plain = (tmp_path / "nats" / "nats.conf").read_text()
    config.write_text(f"{plain}tls: {json.dumps(tls)}\n")
    address = BusAddress(
        url=ports.url,
        seed_file=str(bus_users.seed_file(users, "bootstrap")),
        ca_file=str(certificates / "ca.pem"),
    )

    async def ready() -> bool:
        with contextlib.suppress(wire.NotReached):
            return bool(await wire.request(address, "$JS.API.INFO", timeout_seconds=1))
        return False

    secured = process.Program(
        name="nats",
        argv=(program.argv[0], "--config", str(config)),
        log_path=tmp_path / "nats.log",
        ready=ready,
    )
    child = await process.Child.start(secured)
    await child.wait_ready()
    running = Secure(address, secured, child)
    yield running
    await running.child.stop()


def _certify(folder: Path) -> None:
    """Make an authority, and a certificate of it for a server on loopback."""
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    made += ["-nodes", "-days", "1"]
    ca = [*made, "-subj", "/CN=a throw-away authority", "-keyout", "ca-key.pem", "-out", "ca.pem"]
    server = [*made, "-CA", "ca.pem", "-CAkey", "ca-key.pem", "-subj", "/CN=nats"]
    server += ["-addext", f"subjectAltName=IP:{LOOPBACK}", "-addext", "basicConstraints=CA:FALSE"]
    server += ["-keyout", "key.pem", "-out", "server.pem"]
    for command in (ca, server):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)


async def test_every_kind_of_connection_speaks_tls(secure: Secure) -> None:
    """The driver, FastStream, the command line and whoever reads in bulk."""
    address = secure.address
    bus = await connect(address, "test")
    await bus.api("STREAM.CREATE.OWN", {"name": "OWN", "subjects": ["ledger.*.*.ledger.*"]})
    await bus.store("ledger.1.demo.ledger.identity", b"one", msg_id="one")
    consumer = {"durable_name": "own", "ack_policy": "none"}
    await bus.api("CONSUMER.DURABLE.CREATE.OWN.own", {"stream_name": "OWN", "config": consumer})
    async with contextlib.aclosing(pull_in_bulk(bus, "OWN", "own", 1)) as batches:
        assert [body async for messages in batches for *_, body in messages] == [b"one"]
    await bus.close()
    assert (await wire.greeting(address, timeout_seconds=5))["tls_required"]
    async with connected(secure.settings, "bootstrap", asyncio.Event()) as here:
        assert await here.bus.server_id()


async def test_who_vouches_for_the_servers_may_change_while_a_service_runs(secure: Secure) -> None:
    """Nobody starts it again: the file is read for each connection, and who stood there before is believed no more."""
    authority = Path(secure.address.ca_file)
    old = ssl.create_default_context(cafile=authority).get_ca_certs()
    bus = await connect(secure.address, "test")
    async with connected(secure.settings, "bootstrap", asyncio.Event()) as here:
        await secure.child.kill()
        _certify(authority.parent)
        secure.child = await process.Child.start(secure.program)

        async def connected_again() -> bool:
            return all(each.generation == 1 and each.connected for each in (bus, here.bus))

        await eventually(connected_again)
        for each in (bus, here.bus):
            assert await each.server_id()
            (believed,) = each._client.options["tls"].get_ca_certs()  # noqa: SLF001  no server says it
            assert believed not in old
    await bus.close()


async def test_a_certificate_of_somebody_else_is_not_believed(secure: Secure) -> None:
    """Nothing is said to a server for which nobody vouches."""
    stranger = BusAddress(url=secure.address.url, seed_file=secure.address.seed_file)
    with pytest.raises(wire.NotReached, match=ssl.SSLCertVerificationError.__name__):
        await wire.request(stranger, "$JS.API.INFO", timeout_seconds=5)
    with pytest.raises(errors.BusUnavailable):
        await connect(stranger, "test")
