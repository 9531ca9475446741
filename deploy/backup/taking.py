"""Takes a backup of a cell while its services go on."""

import asyncio
import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deploy.backup import manifest, snapshots
from deploy.backup.errors import BackupFolderTaken, BackupNotTaken
from deploy.backup.manifest import Follower, Held, Manifest
from deploy.embedded.errors import SetupError
from shared import errors, files, streams
from shared.bus import Bus
from shared.ledger import identity

HELD = (
    streams.LEDGER,
    streams.CONTACTS,
    streams.FILES,
    streams.VISITS,
    streams.ANSWERS,
    streams.REFUSALS,
)
"""In the order in which they are taken: what the ledger is made of, and what its events name, is at least as new."""
FORGOTTEN = (streams.RAW, streams.BODIES)
"""In no backup: what is deleted there for whoever asks to be forgotten is gone (docs/adr/0082)."""
MADE_AGAIN = (streams.TIMERS, streams.BALANCE, streams.SNAPSHOTS, streams.CANARY)
"""In no backup: the services make them again of the ledger, and older ones would say what is not so any more."""

Say = Callable[[str], None]


async def take(bus: Bus, folder: Path, say: Say) -> Manifest:
    """Write a backup into a new folder, which appears when all of it is on the disk.

    Raises: BackupFolderTaken, also while another one is written there; BackupNotTaken: then nothing of it is kept.
    """
    try:
        with _alone(folder):
            return await _written(bus, folder, say)
    except SetupError:
        raise
    except errors.TellonceError as error:
        raise BackupNotTaken(reason=error.code) from error
    except OSError as error:
        raise BackupNotTaken(reason=error.strerror) from error


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep others from writing a backup there while the block runs; whoever is killed keeps nobody from it.

    Raises: BackupFolderTaken, OSError.
    """
    if folder.exists():
        raise BackupFolderTaken(folder=str(folder))
    folder.parent.mkdir(parents=True, exist_ok=True)
    path = folder.with_name(f"{folder.name}.lock")
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupFolderTaken(folder=str(folder)) from None
        if not os.path.samestat(os.fstat(lock.fileno()), path.stat()):  # whoever had it is done
            raise BackupFolderTaken(folder=str(folder))
        try:
            yield
        finally:
            path.unlink()


async def _written(bus: Bus, folder: Path, say: Say) -> Manifest:
    draft = folder.with_name(f"{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)  # of one that was killed
    try:
        for each in (draft, *(draft / stream for stream in HELD)):
            each.mkdir(mode=0o700)
        taken = await _take(bus, draft, say)
        await asyncio.to_thread(manifest.finish, draft, taken)
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    files.sync_folder(folder.parent)
    return taken


async def _take(bus: Bus, draft: Path, say: Say) -> Manifest:
    founded = await identity.founded(bus)
    if founded is None:
        raise errors.LedgerUnfounded
    followers, held = await _followers(bus), {}
    for stream in HELD:
        saved = await snapshots.save(bus, stream, draft / stream)
        held[stream] = Held(messages=saved.state["messages"], size_bytes=saved.size_bytes)
        say(f"{stream:<9} {held[stream].messages:>9} messages {saved.size_bytes:>12} bytes")
    files.sync_folder(draft)
    end = snapshots.read(draft / streams.LEDGER).state["last_seq"]
    last = await bus.leader_get(streams.LEDGER, sequence=end)
    if last is None:
        raise BackupNotTaken(reason="the ledger went back")
    return Manifest(
        made=datetime.now(UTC),
        ledger=founded,
        position=end,
        sha256=hashlib.sha256(last.body).hexdigest(),
        raw=await identity.end(bus, streams.RAW),
        streams=held,
        followers=followers,
    )


async def _followers(bus: Bus) -> list[Follower]:
    """Return the durable consumers of the ledger.

    Before the ledger is copied: what one of them has done, and what it has appended of it, is in the copy.
    """
    found: list[dict[str, Any]] = []
    total = 1
    while len(found) < total:
        page = await bus.api(f"CONSUMER.LIST.{streams.LEDGER}", {"offset": len(found)})
        if not page["consumers"]:
            break
        found += page["consumers"]
        total = page["total"]
    return [
        Follower(config=each["config"], done=each["ack_floor"]["stream_seq"])
        for each in found
        if "durable_name" in each["config"]
    ]
