"""Which ledger it is: found once, remembered outside, and refused where what stands beside it was made of another."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from deploy import bootstrap, ledger
from deploy.embedded import marking
from services.ingest import app as ingest
from services.notify import app as notify
from services.router import app as router
from shared import aggregates, ensuring, policy, settings, streams, subjects
from shared.bus import Bus, connect
from shared.errors import JetStreamRefused, LedgerContradicted, LedgerUnfounded, MarkUnreadable
from shared.events import LedgerAdopted, LedgerFounded
from shared.ledger import Recorded, identity
from shared.settings import Settings
from tests.support.restored import Restored
from tests.support.servers import EmbeddedNats
from tests.support.waiting import WITHIN_SECONDS

NOBODY = "postgresql://tellonce@127.0.0.1:1/tellonce"
"""No Postgres: it is no witness then."""


@dataclass
class Standing:
    """A ledger, its backups, and what the services are told."""

    restored: Restored
    chosen: Settings
    tenant: str

    @property
    def bus(self) -> Bus:
        return self.restored.bus

    async def bootstrap(self) -> None:
        await bootstrap.bootstrap(self.chosen)

    async def remember(self) -> None:
        """Move the mark on, as a bootstrap job does for which the projection vouches."""
        mark = await identity.mark_of(self.bus, await identity.founded(self.bus))
        identity.write_mark(self.chosen.ledger_mark, mark)

    async def adopt(self, reason: str) -> ledger.Findings:
        everything = bootstrap.wanted(self.chosen, [policy.load(self.chosen.policy)])
        return await ledger.adopt(self.bus, self.chosen, self.tenant, everything, reason)

    async def checked(self) -> None:
        """Check as every service does at its start."""
        await self.bus.until_connected(WITHIN_SECONDS)
        await identity.check(self.bus, self.chosen.ledger_mark)

    async def named(self) -> list[Recorded]:
        """Return the events of the ledger's identity."""
        return await self.restored.ledger.read_leader(self.tenant, aggregates.LEDGER_IDENTITY)


@pytest_asyncio.fixture
async def standing(tmp_path: Path) -> AsyncIterator[Standing]:
    """A server without streams and without a mark."""
    folder = tmp_path / "nats"
    async with EmbeddedNats(folder) as server:
        chosen = settings.load(
            {
                "TELLONCE_NATS_URL": server.url,
                "TELLONCE_POSTGRES_DSN": NOBODY,
                "TELLONCE_LEDGER_MARK": str(tmp_path / "ledger.json"),
            }
        )
        bus = await connect(server.url, "test")
        yield Standing(Restored(server, folder, bus), chosen, policy.load(chosen.policy).tenant)
        await bus.close()


async def test_a_ledger_is_founded_once(standing: Standing) -> None:
    """No service starts before; the job may run again, and its mark goes along with the ledger."""
    await ensuring.ensure(standing.bus, streams.WantedStreams(streams.stream_configs()))
    with pytest.raises(LedgerUnfounded):
        await standing.checked()
    await standing.bootstrap()
    (founded,) = await standing.named()
    assert isinstance(founded.event, LedgerFounded)
    assert (founded.sequence, founded.event.open.after) == (1, 0)
    grown = await standing.restored.grow(3)
    await standing.bootstrap()
    await standing.checked()
    assert await standing.named() == [founded]
    mark = identity.read_mark(standing.chosen.ledger_mark)
    assert mark is not None
    assert (mark.position, mark.ledger) == (grown, founded.event.id)


async def test_what_somebody_else_wrote_to_its_identity_names_no_ledger(standing: Standing) -> None:
    """Before or after it was founded: it is founded all the same, and every service starts."""
    await ensuring.ensure(standing.bus, streams.WantedStreams(streams.stream_configs()))
    subject = subjects.ledger(standing.tenant, aggregates.LEDGER_IDENTITY)
    await standing.bus.store(subject, b"junk")
    await standing.bootstrap()
    await standing.bus.store(subject, b"more junk")
    await standing.bootstrap()
    await standing.checked()
    ours = [it for it in await standing.named() if isinstance(it.event, LedgerFounded)]
    assert [it.event.id for it in ours] == [await identity.founded(standing.bus)]


async def test_a_ledger_of_the_version_before_is_taken_on_without_a_word(
    standing: Standing,
) -> None:
    """It has events and no identity, deliveries lie beside it, and nothing contradicts it."""
    await ensuring.ensure(standing.bus, streams.WantedStreams(streams.stream_configs()))
    await standing.bus.store("raw.0.demo.form.shop", b"{}")
    await standing.restored.grow(3)
    await standing.bootstrap()
    (founded,) = await standing.named()
    assert isinstance(founded.event, LedgerFounded)
    assert (founded.sequence, founded.event.open.after) == (4, 3)
    await standing.checked()


async def test_a_ledger_that_is_gone_is_not_made_anew_beside_deliveries(standing: Standing) -> None:
    """What RAW holds was answered, and must not have been answered for nothing: not even an empty stream is made."""
    raw = [config for config in streams.stream_configs() if config["name"] != streams.LEDGER]
    await ensuring.ensure(standing.bus, streams.WantedStreams(raw))
    await standing.bus.store("raw.0.demo.form.shop", b"{}")
    with pytest.raises(LedgerContradicted) as refusal:
        await standing.bootstrap()
    assert refusal.value.details["witness"] == "raw"
    with pytest.raises(JetStreamRefused):
        await standing.bus.api(f"STREAM.INFO.{streams.LEDGER}")
    with pytest.raises(LedgerUnfounded):
        await standing.checked()


async def emptied(restored: Restored) -> None:
    """Its disk was lost."""
    await restored.lose()


async def shortened(restored: Restored) -> None:
    """Yesterday's backup is put back."""
    await restored.put_back()


async def exchanged(restored: Restored) -> None:
    """Yesterday's backup is put back, and somebody worked on it."""
    await restored.put_back()
    await restored.bus.until_connected(WITHIN_SECONDS)
    await restored.grow(7)


@pytest.mark.parametrize(
    ("accident", "reason"),
    [
        pytest.param(emptied, identity.EMPTY, id="empty"),
        pytest.param(shortened, identity.SHORTER, id="shorter"),
        pytest.param(exchanged, identity.OTHER, id="other"),
    ],
)
async def test_a_ledger_that_its_mark_contradicts_is_refused_until_it_is_adopted(
    standing: Standing, accident: Callable[[Restored], Awaitable[None]], reason: str
) -> None:
    """The bootstrap job and every service refuse; the operator's word is on the record, and all start again."""
    restored = standing.restored
    await standing.bootstrap()
    await restored.grow(3)
    await restored.back_up()
    await restored.bus.until_connected(WITHIN_SECONDS)
    await restored.grow(3)
    await standing.remember()
    await accident(restored)
    with pytest.raises(LedgerContradicted) as refusal:
        await standing.bootstrap()
    assert (refusal.value.details["witness"], refusal.value.details["reason"]) == ("mark", reason)
    with pytest.raises((LedgerContradicted, LedgerUnfounded)):
        await standing.checked()

    found = await standing.adopt("lost a disk")
    assert found.against == {"mark": reason}
    adopted = (await standing.named())[-1].event
    assert isinstance(adopted, LedgerAdopted)
    assert adopted.open.against == [f"mark:{reason}"]
    assert await identity.adopted(standing.bus) == adopted
    assert adopted.personal is not None
    assert adopted.personal.reason == "lost a disk"
    await standing.bootstrap()
    await standing.checked()


async def grown_and_copied(standing: Standing) -> None:
    """The ledger outgrows its mark, is copied, and grows again: the copy is newer than the mark, and older than it."""
    await standing.bootstrap()
    await standing.restored.grow(3)
    await standing.restored.back_up()
    await standing.restored.bus.until_connected(WITHIN_SECONDS)
    await standing.restored.grow(3)


async def bootstrapped(standing: Standing) -> None:
    """The job runs beside the copy: nobody contradicts it."""
    await standing.bootstrap()


async def kept(standing: Standing) -> None:
    """The stack that runs brings its mark up."""
    address = standing.restored.server.address
    assert not await marking.bring_up(address, Path(standing.chosen.ledger_mark).parent)


@pytest.mark.parametrize("moving", [bootstrapped, kept])
async def test_the_mark_does_not_move_onto_a_copy_that_is_newer_than_it(
    standing: Standing, moving: Callable[[Standing], Awaitable[None]]
) -> None:
    """Without the projection nobody knows better; but the right ledger, put back later, is taken without a word."""
    restored = standing.restored
    await grown_and_copied(standing)
    await restored.exchange()
    await restored.bus.until_connected(WITHIN_SECONDS)
    await restored.grow(7)
    await moving(standing)
    await restored.exchange()
    await standing.checked()
    await standing.bootstrap()


async def test_the_mark_moves_while_the_server_runs_on(standing: Standing) -> None:
    """A copy takes a ledger's place between two runs of the server only."""
    await standing.bootstrap()
    path = Path(standing.chosen.ledger_mark)
    for moving in (
        standing.bootstrap(),
        marking.bring_up(standing.restored.server.address, path.parent),
    ):
        grown = await standing.restored.grow(3)
        await moving
        mark = identity.read_mark(str(path))
        assert mark is not None
        assert mark.position == grown


@pytest.mark.parametrize(
    "serve", [ingest.run, router.run, notify.run], ids=["ingest", "router", "notify"]
)
async def test_no_service_starts_on_a_ledger_that_its_mark_contradicts(
    standing: Standing, serve: Callable[[Settings, asyncio.Event], Awaitable[None]]
) -> None:
    """Each ends before it takes or tells anything, also if nobody ran the bootstrap job again."""
    await standing.bootstrap()
    unknown = identity.Mark(position=100, sha256="0" * 64)
    identity.write_mark(standing.chosen.ledger_mark, unknown)
    with pytest.raises(LedgerContradicted):
        await serve(standing.chosen, asyncio.Event())


async def test_a_ledger_that_nobody_contradicts_is_not_adopted(standing: Standing) -> None:
    """Adopting settles messages and asks everything anew: where all agree nothing is written."""
    await standing.bootstrap()
    before = await standing.restored.ledger.position()
    assert (await standing.adopt("a slip")).against == {}
    assert await standing.restored.ledger.position() == before
    assert await identity.adopted(standing.bus) is None


async def test_what_the_adopted_ledger_lacks_is_given_to_the_router_again(
    standing: Standing,
) -> None:
    """LEDGER alone was put back: CONTACTS holds what was decided on what is lost, and gives it once more."""
    await standing.bootstrap()
    name = streams.router_contacts(0)
    await standing.bus.store("contact.0.demo.chat.e1", b"{}")
    async for (delivery,) in standing.bus.pull(streams.CONTACTS, name, batch=1):
        await delivery.ack()
        break
    path = standing.chosen.ledger_mark
    identity.write_mark(path, identity.Mark(position=100, sha256="0" * 64))
    await standing.adopt("the night's backup")
    await standing.bootstrap()
    info = await standing.bus.api(f"CONSUMER.INFO.{streams.CONTACTS}.{name}")
    assert info["num_pending"] == 1


async def test_a_mark_that_cannot_be_read_is_no_empty_one(standing: Standing) -> None:
    """Torn or edited, it may have remembered another ledger."""
    await standing.bootstrap()
    Path(standing.chosen.ledger_mark).write_text("{", "utf-8")
    for step in (standing.checked, standing.bootstrap):
        with pytest.raises(MarkUnreadable):
            await step()
