"""What is said on a connection to an exchange's manager (AMI), without the connection.

Sources: the exchange's documentation, AMI Actions Login, Challenge, Ping, CoreShowChannels, read 2026-11; tried with a
real one (docs/adr/0049).
"""

import hashlib
import re
from collections.abc import Iterator, Mapping

from services.ingest.domain import pbx_stream
from services.ingest.domain.pbx_memory import RawRecord
from shared import errors

BLOCK_MAX_BYTES = 262_144
"""A record of the exchange has a few hundred bytes; what goes on for so long is none."""
BANNER = re.compile(rb"[ -~]{1,64} Call Manager/[0-9.]{1,16}\r?\n")
BANNER_MAX_BYTES = 128
CLASSES = "call,dialplan,agent,dtmf"
"""The classes of events that say something of a call."""
BLANKS_MAX = 64
"""In a line that is empty."""
_END = re.compile(rb"\r?\n[ \t]{0,%d}\r?\n" % BLANKS_MAX)
_END_MAX_BYTES = BLANKS_MAX + 4
_BREAKING = re.compile(r"[\r\n\x00]")


def action(name: str, number: str, fields: Mapping[str, str]) -> bytes:
    """Return an action to be sent. Raises: ProviderRefused for a value that would be more than one line."""
    lines = {"Action": name, "ActionID": number, **fields}
    if any(_BREAKING.search(value) for value in lines.values()):
        raise errors.ProviderRefused(cause="line_break")
    return ("".join(f"{key}: {value}\r\n" for key, value in lines.items()) + "\r\n").encode()


def proof(challenge: str, password: str) -> str:
    """Return what proves a password without saying it."""
    return hashlib.md5(f"{challenge}{password}".encode(), usedforsecurity=False).hexdigest()


class BlockReader:
    """Cuts what comes into blocks. What is not whole yet is kept, and never looked through twice."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._looked = 0
        self._greeted = False

    def feed(self, data: bytes) -> Iterator[RawRecord]:
        """Give the blocks that are whole now, in order. Raises: ProviderNotUnderstood."""
        self._buffer += data
        if not self._greeted and not self._greet():
            return
        while (
            found := _END.search(self._buffer, max(0, self._looked - _END_MAX_BYTES))
        ) is not None:
            raw = bytes(self._buffer[: found.start()]) + b"\r\n\r\n"
            del self._buffer[: found.end()]
            self._looked = 0
            if len(raw) > BLOCK_MAX_BYTES:
                raise errors.ProviderNotUnderstood(cause="record_too_large")
            record = pbx_stream.block(raw)
            if record is not None:
                yield RawRecord(record, raw)
        self._looked = len(self._buffer)
        if len(self._buffer) > BLOCK_MAX_BYTES:
            raise errors.ProviderNotUnderstood(cause="record_too_large")

    def _greet(self) -> bool:
        """Take the exchange's first line; whether it has come. Raises: ProviderNotUnderstood."""
        found = BANNER.match(self._buffer)
        if found is None:
            if b"\n" in self._buffer or len(self._buffer) > BANNER_MAX_BYTES:
                raise errors.ProviderNotUnderstood(cause="greeting")
            return False
        del self._buffer[: found.end()]
        self._greeted = True
        return True
