"""A router that starts reads the end of the ledger only, and never believes a snapshot that does not fit."""

import asyncio
import json
from collections.abc import AsyncIterator
from hashlib import sha256

import msgspec
import pytest
import pytest_asyncio
from msgspec.structs import replace as changed

from services.router import snapshot
from services.router.picture import Picture
from services.router.snapshot import PICTURE_VERSION, NatsSnapshots, Snapshot, Snapshots, take
from shared import ensuring, streams
from shared.bus import Bus, connect
from shared.errors import BusUnavailable
from shared.events import ContactOffered
from shared.ledger import Recorded
from shared.policies import Policies
from shared.streams import WantedStreams
from tests.history.recorded_ledger import GOLDEN, recorded_ledger
from tests.router.in_memory_router import InMemoryRouter
from tests.router.samples import ANNA, ANNA_MAIL, NOON, TENANT, a_policy, call, message
from tests.support.memory_snapshots import MemorySnapshots


@pytest_asyncio.fixture
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    """A connection to a server that has the stream."""
    found = await connect(nats_url, "test")
    every = streams.stream_configs()
    wanted = [config for config in every if config["name"] == streams.SNAPSHOTS]
    await ensuring.ensure(found, WantedStreams(streams=wanted))
    yield found
    await found.api(f"STREAM.DELETE.{streams.SNAPSHOTS}")
    await found.close()


@pytest.fixture(params=["twin", "server"])
def snapshots(request: pytest.FixtureRequest) -> Snapshots:
    """Every implementation in turn."""
    if request.param == "twin":
        return MemorySnapshots()
    return NatsSnapshots(request.getfixturevalue("bus"))


async def a_snapshot(waiting: int = 1) -> Snapshot:
    """Return one of a router at which so many wait, and which has offered one of them."""
    router = InMemoryRouter()
    await router.on_duty("piotr")
    for number in range(waiting):
        await router.happens(call("started", f"CA{number}", handles=[]))
    await router.dispatch()
    await router.dispatcher.keep_now()
    kept = await router.snapshots.newest()
    assert kept is not None
    return kept


# -- keeping --------------------------------------------------------------------------------------------


async def test_there_is_none_at_first(snapshots: Snapshots) -> None:
    """A router of a new installation begins with nothing."""
    assert await snapshots.newest() is None


async def test_the_newest_comes_back_whole(
    snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In however many parts; of a shorter one that follows a longer one nothing of the longer one is left."""
    monkeypatch.setattr(snapshot, "PART_BYTES", 100)
    for waiting in (1, 9, 2):
        kept = await a_snapshot(waiting)
        await snapshots.keep(kept)
        assert await snapshots.newest() == kept


async def test_two_routers_that_keep_at_once_keep_one(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not a mixture of both."""
    monkeypatch.setattr(snapshot, "PART_BYTES", 100)
    both = [await a_snapshot(2), await a_snapshot(7)]
    for _ in range(8):
        await asyncio.gather(*(NatsSnapshots(bus).keep(each) for each in both))
        assert await NatsSnapshots(bus).newest() in both


async def test_one_that_this_version_cannot_read_is_none(bus: Bus) -> None:
    """A newer version's has fields that we do not know."""
    newer = {**msgspec.to_builtins(await a_snapshot()), "dreams": []}
    await NatsSnapshots(bus).keep(newer)  # type: ignore[arg-type]
    assert await NatsSnapshots(bus).newest() is None


async def test_a_stream_that_does_not_answer_is_asked_again(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream without a leader is waited for."""
    kept, silent = await a_snapshot(), [True, True]
    await NatsSnapshots(bus).keep(kept)
    leader_get = Bus.leader_get

    async def away(self: Bus, *asked: object, **named: object) -> object:
        if silent:
            silent.pop()
            raise BusUnavailable
        return await leader_get(self, *asked, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Bus, "leader_get", away)
    assert await NatsSnapshots(bus).newest() == kept
    assert not silent


# -- beginning with one ---------------------------------------------------------------------------------


async def restarted(router: InMemoryRouter) -> int:
    """Start a new process; return where it begins to read."""
    router.restart()
    await router.dispatcher.begin()
    return router.dispatcher.position


async def waiting_router() -> InMemoryRouter:
    """Return a router that has kept a snapshot while two wait, and nobody is there."""
    router = InMemoryRouter()
    await router.happens(call("started", "CA1", handles=[]), call("started", "CA2", handles=[]))
    await router.dispatch()
    await router.dispatcher.keep_now()
    return router


async def test_a_router_begins_where_the_snapshot_ends() -> None:
    """It offers who waited then to who has come since, and knows what was there as if it had read it."""
    router = await waiting_router()
    kept = await router.ledger.position()
    await router.on_duty("piotr")
    assert await restarted(router) == kept
    await router.dispatch()
    first = (await router.conversations())[0]
    assert (await router.all(ContactOffered))[0].conversation == first.id


async def test_it_holds_no_words_and_no_handles() -> None:
    """Whoever is forgotten later need not be sought here."""
    router = InMemoryRouter()
    said = "the locker at the station"
    await router.owned_by("piotr", call("started"))
    await router.hands_on("piotr", "cold", brief=said, queue="warehouse")
    await router.happens(message(said))
    await router.dispatch()
    await router.dispatcher.keep_now()
    for word in (said, ANNA, ANNA_MAIL):
        assert word.encode() not in router.snapshots.kept
        assert any(word.encode() in each.body for each in await router.recorded())


async def kept_by(router: InMemoryRouter, **other: object) -> None:
    """Change what stands in the snapshot."""
    kept = await router.snapshots.newest()
    assert kept is not None
    await router.snapshots.keep(changed(kept, **other))


@pytest.mark.parametrize(
    "other",
    [
        {"version": PICTURE_VERSION + 1},
        {"sha256": sha256(b"another event").hexdigest()},
        {"position": 999},
    ],
    ids=["version", "event", "position"],
)
async def test_one_that_does_not_fit_is_left(other: dict[str, object]) -> None:
    """Another version's, another ledger's, and one from beyond the end of an older ledger."""
    router = await waiting_router()
    await kept_by(router, **other)
    assert await restarted(router) == 0
    await router.on_duty("piotr")
    assert "contact.offered" in await router.offers()


async def test_what_a_newer_version_wrote_is_read_by_the_newer_version() -> None:
    """An older router could not read it and said so in its snapshot; the one that can takes it in."""
    router = await waiting_router()
    first = (await router.conversations())[0]
    await kept_by(router, unreadable=[(TENANT, f"conv-{first.id}")], conversations=[])
    assert await restarted(router) > 0
    assert (TENANT, first.id) in router.dispatcher.picture.open


async def test_what_nobody_can_read_yet_is_still_left_alone() -> None:
    """The unreadable stays so across a restart."""
    router = await waiting_router()
    first, second = await router.conversations()
    await router.newer_event(first)
    await router.dispatch()
    await router.dispatcher.keep_now()
    assert await restarted(router) > 0
    await router.on_duty("piotr")
    await router.dispatch()
    offered = await router.all(ContactOffered)
    assert [each.conversation for each in offered] == [second.id]


async def test_a_snapshot_that_cannot_be_kept_is_tried_again() -> None:
    """Nothing else waits for it."""
    router = await waiting_router()

    class Away(MemorySnapshots):
        async def keep(self, snapshot: Snapshot) -> None:
            raise BusUnavailable

    router.restart()
    await router.dispatch()
    router.dispatcher._snapshots = Away()  # noqa: SLF001  the stream is away
    await router.dispatcher.keep_now()
    router.dispatcher._snapshots = router.snapshots  # noqa: SLF001
    router.snapshots.kept = b""
    await router.dispatcher.keep_now()
    assert await router.snapshots.newest() is not None


# -- versions -------------------------------------------------------------------------------------------


def picture_of(events: list[Recorded]) -> Snapshot:
    """Return what a router that read these events keeps."""
    picture = Picture(Policies(a_policy()))
    for each in events:
        picture.see(each, NOON)
    return take(picture, events[-1])


def test_another_picture_has_another_version() -> None:
    """If this fails: raise PICTURE_VERSION, and note both in versions.json."""
    known = json.loads((GOLDEN / "versions.json").read_bytes())
    events = recorded_ledger()
    digest = sha256()
    for end in range(1, len(events) + 1):
        kept = picture_of(events[:end])
        digest.update(msgspec.json.encode(kept, order="deterministic"))
    assert (PICTURE_VERSION, digest.hexdigest()) == (known["picture_version"], known["picture"])
