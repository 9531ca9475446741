"""A backup holds the truth, is put back whole, and never takes a ledger's place."""

import asyncio
import itertools
import random
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.backup import manifest, restoring, snapshots, taking
from deploy.backup.errors import (
    BackupDamaged,
    BackupFolderTaken,
    BackupNotTaken,
    RestoreRefused,
)
from shared import streams
from shared.errors import StreamDrift
from shared.events import LedgerAdopted
from shared.ledger import identity
from tests.backup.cell import REASON, Cell, cell, cell_at
from tests.support.servers import EmbeddedNatsCluster
from tests.support.waiting import eventually

LANE = streams.notify_lane(3)


@pytest_asyncio.fixture
async def old(tmp_path: Path) -> AsyncIterator[Cell]:
    """A cell with a past."""
    async with cell(tmp_path / "old") as made:
        await made.found()
        await made.grow(5)
        await made.bus.store("file.demo.abc.1", b"of a file")
        await made.bus.store("raw.1.demo.form.contact", b"a delivery")
        await made.bus.store("timer.armed.router", b"")
        yield made


@pytest_asyncio.fixture
async def new(tmp_path: Path) -> AsyncIterator[Cell]:
    """A server with nothing in it."""
    async with cell(tmp_path / "new") as made:
        yield made


def test_every_stream_is_in_a_backup_or_left_out_for_a_reason() -> None:
    """Whoever adds a stream says which."""
    every = [config["name"] for config in streams.stream_configs()]
    assert sorted(every) == sorted((*taking.HELD, *taking.FORGOTTEN, *taking.MADE_AGAIN))


async def test_what_is_put_back_is_what_was_there(old: Cell, new: Cell, tmp_path: Path) -> None:
    """Sequences, times, subjects, headers and bodies are the same, and so is the ledger's identity."""
    before = {name: await old.contents(name) for name in taking.HELD}
    taken = await old.take(tmp_path / "backup")
    found = await new.restore(tmp_path / "backup")
    assert found.identity == taken.ledger == await identity.founded(old.bus)
    after = {name: await new.contents(name) for name in taking.HELD}
    *stood, adopted = after.pop(streams.LEDGER)
    assert stood == before.pop(streams.LEDGER)
    assert after == before
    assert adopted.sequence == taken.position + 1


async def test_a_ledger_that_was_put_back_is_adopted_on_the_record(
    old: Cell, new: Cell, tmp_path: Path
) -> None:
    """What was lost behind it may have held that a mail was sent: whoever sends looks for this event."""
    taken = await old.take(tmp_path / "backup")
    await new.restore(tmp_path / "backup")
    event = await identity.adopted(new.bus)
    assert isinstance(event, LedgerAdopted)
    assert event.open.against == ["backup:restored"]
    assert event.open.position == taken.position
    assert event.personal is not None
    assert event.personal.reason == REASON
    mark = identity.read_mark(new.chosen.ledger_mark)
    assert mark is not None
    assert mark.position == await new.end(streams.LEDGER)


async def test_what_was_deleted_for_whoever_asked_is_in_no_backup(
    old: Cell, new: Cell, tmp_path: Path
) -> None:
    """RAW begins anew, behind what it had given: no event's reference leads to another delivery."""
    taken = await old.take(tmp_path / "backup")
    assert not {each.name for each in (tmp_path / "backup").iterdir()} & set(taking.FORGOTTEN)
    await new.restore(tmp_path / "backup")
    assert await new.contents(streams.RAW) == []
    ack = await new.bus.store("raw.1.demo.form.contact", b"the next one")
    assert ack.sequence == taken.raw + 1 == 2


async def test_deadlines_are_made_again_and_not_put_back(
    old: Cell, new: Cell, tmp_path: Path
) -> None:
    """The note that they are armed is gone with them, so the services arm them again."""
    await old.take(tmp_path / "backup")
    await new.restore(tmp_path / "backup")
    assert await new.contents(streams.TIMERS) == []


async def test_a_follower_of_the_ledger_goes_on_where_it_stood(
    old: Cell, new: Cell, tmp_path: Path
) -> None:
    """And what it has not done comes to it once more, although it did more while the ledger was copied."""
    config = {"durable_name": "warehouse", "ack_policy": "explicit", "filter_subject": "ledger.>"}
    call = f"CONSUMER.DURABLE.CREATE.{streams.LEDGER}.warehouse"
    await old.bus.api(call, {"stream_name": streams.LEDGER, "config": config})
    async for (first,) in old.bus.pull(streams.LEDGER, "warehouse", batch=1):
        await first.ack()
        if first.sequence == 2:
            break
    await old.take(tmp_path / "backup")
    await new.restore(tmp_path / "backup")
    async for (following,) in new.bus.pull(streams.LEDGER, "warehouse", batch=1):
        assert following.sequence == 3
        break
    lane = await new.bus.api(f"CONSUMER.INFO.{streams.LEDGER}.{LANE}")
    assert lane["config"]["deliver_policy"] == "by_start_sequence"
    await new.found()


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2])


def turned(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


async def test_a_damaged_backup_is_refused_before_anything_is_changed(
    old: Cell, new: Cell, tmp_path: Path
) -> None:
    """A byte that is another one, some that are missing, a file that is gone."""
    await old.take(tmp_path / "backup")
    names = [f"{streams.LEDGER}/{snapshots.CONTENT}", f"{streams.FILES}/{snapshots.ABOUT}"]
    for damage in (truncated, turned, Path.unlink):
        for name in (*names, manifest.NAME, manifest.SUMS):
            damaged = tmp_path / f"{damage.__name__} {name.replace('/', ' ')}"
            shutil.copytree(tmp_path / "backup", damaged)
            damage(damaged / name)
            with pytest.raises(BackupDamaged):
                await new.restore(damaged)
    assert (await new.bus.api("STREAM.NAMES"))["total"] == 0


async def test_a_backup_never_takes_a_ledgers_place(old: Cell, tmp_path: Path) -> None:
    """Where a ledger has gone on since, nothing is changed."""
    await old.take(tmp_path / "backup")
    end = await old.grow(1)
    with pytest.raises(RestoreRefused) as refused:
        await old.restore(tmp_path / "backup")
    assert refused.value.details == {"position": end}
    assert await old.contents(streams.TIMERS)


async def test_what_is_left_of_a_cell_stays(old: Cell, tmp_path: Path) -> None:
    """Where LEDGER alone is lost, RAW and the contacts since the backup are not."""
    taken = await old.take(tmp_path / "backup")
    await old.bus.store("contact.1.demo.form.x.y", b"since then")
    await old.bus.api(f"STREAM.DELETE.{streams.LEDGER}")
    await old.restore(tmp_path / "backup")
    assert [each.body for each in await old.contents(streams.RAW)] == [b"a delivery"]
    assert [each.body for each in await old.contents(streams.CONTACTS)] == [b"since then"]
    assert await old.end(streams.LEDGER) == taken.position + 1


async def test_a_restore_that_was_ended_goes_on(
    old: Cell, new: Cell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger stands already, and nobody has adopted it yet."""
    taken = await old.take(tmp_path / "backup")

    async def ended(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(restoring, "_go_on", ended)
        with pytest.raises(KeyboardInterrupt):
            await new.restore(tmp_path / "backup")
    assert await new.end(streams.LEDGER) == taken.position
    await new.restore(tmp_path / "backup")
    assert await new.end(streams.LEDGER) == taken.position + 1


@pytest.mark.parametrize("stream", [streams.CONTACTS, streams.LEDGER])
async def test_a_stream_that_is_not_whole_is_put_back_anew(
    old: Cell, new: Cell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: str
) -> None:
    """Where whoever put it back was ended within it the server keeps a part, and nobody takes that for the stream."""
    for number in range(24):  # more than the server unpacks at once
        subject = f"{stream.lower().removesuffix('s')}.1.demo.x.{number}"
        await old.bus.store(subject, random.Random(number).randbytes(200 * 1024))
    taken = await old.take(tmp_path / "backup")
    pieces = snapshots.pieces

    def ended(path: Path) -> Iterator[bytes]:
        yield from itertools.islice(pieces(path), 20 if path.parent.name == stream else None)
        if path.parent.name == stream:
            raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(snapshots, "pieces", ended)
        broken.setattr(manifest, "checked", lambda _: taken)
        with pytest.raises(KeyboardInterrupt):
            await new.restore(tmp_path / "backup")

    async def begun() -> bool:
        names = await new.bus.api("STREAM.NAMES")
        return stream in (names["streams"] or []) and await new.end(stream) > 0

    await eventually(begun)
    assert await new.end(stream) < await old.end(stream)
    with pytest.raises(StreamDrift):
        await new.found()
    with pytest.raises(BackupNotTaken):
        await new.take(tmp_path / "of a part")
    await new.restore(tmp_path / "backup")
    stood = await old.contents(stream)
    assert (await new.contents(stream))[: len(stood)] == stood
    await new.found()


async def test_nothing_half_written_looks_like_a_backup(old: Cell, tmp_path: Path) -> None:
    """A stream that is not there ends it; what a killed one left is gone with the next."""
    await old.bus.api(f"STREAM.DELETE.{streams.REFUSALS}")
    with pytest.raises(BackupNotTaken):
        await old.take(tmp_path / "backup")
    assert not [each for each in tmp_path.iterdir() if "backup" in each.name]
    await old.found()
    (tmp_path / "backup.draft" / "LEDGER").mkdir(parents=True)
    await old.take(tmp_path / "backup")
    assert [each.name for each in tmp_path.iterdir() if "backup" in each.name] == ["backup"]


async def test_a_backup_is_never_written_over(old: Cell, tmp_path: Path) -> None:
    """The last good one stays."""
    await old.take(tmp_path / "backup")
    with pytest.raises(BackupFolderTaken):
        await old.take(tmp_path / "backup")


async def test_two_that_are_taken_at_once_do_not_meet(old: Cell, tmp_path: Path) -> None:
    """Who comes second into the same folder is refused, and what the first one wrote is what it says."""
    ended = await asyncio.gather(
        *(old.take(tmp_path / "backup") for _ in range(3)), return_exceptions=True
    )
    (taken,) = (each for each in ended if isinstance(each, manifest.Manifest))
    assert [type(each) for each in ended if each is not taken] == [BackupFolderTaken] * 2
    assert manifest.checked(tmp_path / "backup") == taken
    assert [each.name for each in tmp_path.iterdir() if "backup" in each.name] == ["backup"]


@pytest.mark.cluster
async def test_of_one_server_it_goes_to_three(old: Cell, tmp_path: Path) -> None:
    """And from there to three again: the copies are as many as the place wants."""
    await old.take(tmp_path / "backup")
    before = await old.contents(streams.LEDGER)
    async with (
        EmbeddedNatsCluster(tmp_path / "three") as nodes,
        cell_at(",".join(nodes.urls), tmp_path, replicas=3) as new,
    ):
        await new.restore(tmp_path / "backup")
        info = await new.bus.api(f"STREAM.INFO.{streams.LEDGER}")
        assert len(info["cluster"]["replicas"]) == 2
        assert (await new.contents(streams.LEDGER))[:-1] == before
        taken = await new.take(tmp_path / "again")
        assert taken.position == await new.end(streams.LEDGER)
        for index in range(len(nodes.urls)):
            await nodes.kill(index)


async def test_a_ledger_without_an_identity_is_not_copied(new: Cell, tmp_path: Path) -> None:
    """Nobody could tell later which ledger it was."""
    with pytest.raises(BackupNotTaken):
        await new.take(tmp_path / "backup")
