"""A whole stream as one file, and back: the server's own snapshots, chunk by chunk.

`STREAM.SNAPSHOT` and `STREAM.RESTORE` of the JetStream API; from nats-server 2.15 on the file is an archive of messages
with their sequences and times, packed with S2. `backup.json` and `stream.tar.s2` are the names that the `nats` command
line gives the two files of a stream.
"""

import asyncio
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from deploy.backup.errors import BackupNotTaken, RestoreFailed
from shared import ensuring, errors, files
from shared.bus import Bus
from shared.bus.deliveries import Message
from shared.comparing import Config

CONTENT, ABOUT = "stream.tar.s2", "backup.json"
CHUNK_BYTES = 128 * 1024
WINDOW_BYTES = 8 * 1024 * 1024
"""So much the server sends before it hears that the first of it is written."""
SILENCE_SECONDS = 30.0
START_SECONDS = 600.0
"""The server reads a stream whole and checks it before it begins."""
END_SECONDS = 600.0
"""And syncs it whole before it says that it stands."""
DONE = frozenset({"", "204"})


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A stream as it was: its configuration and state as the API gives them, and the size of its file."""

    config: dict[str, Any]
    state: dict[str, Any]
    size_bytes: int = 0


async def save(bus: Bus, stream: str, folder: Path) -> Snapshot:
    """Write a stream without its consumers into a folder; both files are on the disk when it returns.

    Raises: BackupNotTaken, JetStreamRefused, BusUnavailable, OSError.
    """
    chunks: asyncio.Queue[Message] = asyncio.Queue()
    # A subject of its own: of a wildcard the server does not see that somebody listens.
    inbox, generation = bus.new_inbox(), bus.generation
    listening = await bus.noting(inbox, chunks.put_nowait)
    try:
        asked = {
            "deliver_subject": inbox,
            "no_consumers": True,
            "jsck": True,
            "chunk_size": CHUNK_BYTES,
            "window_size": WINDOW_BYTES,
        }
        answer = await bus.api(f"STREAM.SNAPSHOT.{stream}", asked, timeout_seconds=START_SECONDS)
        if answer["config"]["subjects"] == _until_whole(stream):
            raise BackupNotTaken(stream=stream, reason="not whole")
        size_bytes = await _write(stream, chunks, folder / CONTENT)
    finally:
        await listening.stop()
    if bus.generation != generation:
        raise BackupNotTaken(stream=stream, reason="the connection was lost")
    found = Snapshot(config=answer["config"], state=answer["state"], size_bytes=size_bytes)
    files.replace(folder / ABOUT, msgspec.json.encode(found) + b"\n")
    return found


async def _write(stream: str, chunks: asyncio.Queue[Message], path: Path) -> int:
    """Write chunks as they come, tell the server of each that is written, and return their size; the last is empty."""
    with path.open("wb") as file:
        while True:
            try:
                chunk = await asyncio.wait_for(chunks.get(), SILENCE_SECONDS)
            except TimeoutError:
                raise BackupNotTaken(stream=stream, reason="silence") from None
            if not chunk.body:
                break
            await asyncio.to_thread(file.write, chunk.body)
            await chunk.respond(b"")
        status = chunk.headers.get("Status", "")
        if status not in DONE:
            raise BackupNotTaken(stream=stream, reason=chunk.headers.get("Description", status))
        file.flush()
        await asyncio.to_thread(os.fsync, file.fileno())
        return file.tell()


def read(folder: Path) -> Snapshot:
    """Return what is said of a stream. Raises: OSError, msgspec.MsgspecError."""
    return msgspec.json.decode((folder / ABOUT).read_bytes(), type=Snapshot)


async def put_back(bus: Bus, folder: Path, changes: Config) -> None:
    """Make a stream anew from its folder. `changes`: of its configuration.

    The server shows a stream while it fills it, and keeps what it has when nobody goes on. Until it is whole it has a
    subject of its own: nobody writes to it, and whoever needs it sees that it is another one.
    Raises: RestoreFailed, JetStreamRefused (also when there is such a stream), BusUnavailable, OSError.
    """
    found = read(folder)
    name = found.config["name"]
    config = {**found.config, **changes}
    begun = {**config, "subjects": _until_whole(name)}
    answer = await bus.api(f"STREAM.RESTORE.{name}", {"config": begun, "state": found.state})
    for chunk in pieces(folder / CONTENT):
        refusal = await bus.request(answer["deliver_subject"], chunk)
        if refusal and b'"error"' in refusal:
            raise RestoreFailed(stream=name)
    try:
        ended = await bus.request(answer["deliver_subject"], b"", timeout_seconds=END_SECONDS)
    except errors.TimedOut:
        raise RestoreFailed(stream=name, reason="silence") from None
    problem = msgspec.json.decode(ended).get("error")
    if problem:
        raise RestoreFailed(stream=name, reason=problem["description"])
    await bus.api(f"STREAM.UPDATE.{name}", config)


async def end(bus: Bus, stream: str) -> int:
    """Return the last sequence of a stream; 0 when there is none, or one that is not whole.

    Raises: JetStreamRefused, BusUnavailable.
    """
    try:
        info = await bus.api(f"STREAM.INFO.{stream}")
    except errors.JetStreamRefused as error:
        if error.details["err_code"] == ensuring.STREAM_NOT_FOUND:
            return 0
        raise
    whole = info["config"]["subjects"] != _until_whole(stream)
    return int(info["state"]["last_seq"]) if whole else 0


def _until_whole(stream: str) -> list[str]:
    """Return the subjects of a stream while it is put back."""
    return [f"restoring.{stream}"]


def pieces(path: Path) -> Iterator[bytes]:
    """Yield a file a piece at a time. Raises: OSError."""
    with path.open("rb") as file:
        while piece := file.read(CHUNK_BYTES):
            yield piece


def sha256(path: Path) -> str:
    """Return the hash of a file. Raises: OSError."""
    hashed = hashlib.sha256()
    for piece in pieces(path):
        hashed.update(piece)
    return hashed.hexdigest()
