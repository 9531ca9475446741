"""Messages from the wire straight to whoever notes them: the driver's parser, with a short way beside it.

The driver makes an object of each message and puts it into a queue, whose task wakes and calls. For a callback that
only notes what came, as the inbox and a feed do, that is most of what a message costs (docs/adr/0070).
Sources: docs.nats.io "Client protocol" (MSG, HMSG), NATS ADR-4 (headers); the driver is nats-py 2.16.
"""

from collections.abc import Callable, Sequence

import structlog
from nats.aio.client import Client
from nats.errors import ProtocolError
from nats.protocol.parser import AWAITING_CONTROL_LINE, Parser

END = b"\r\n"
SPACE = " \t\n\r\v\f"
PLAIN, WITH_HEADERS = b"MSG", b"HMSG"
VERSION = "NATS/1.0"
STATUS = slice(len(VERSION) + 1, len(VERSION) + 4)
"""Where the first line of a header block has the status of what the server itself says."""

Note = Callable[[str, bytes, dict[str, str], str], None]
"""Notes a message: subject, body, headers, reply subject. It waits for nothing."""

log = structlog.get_logger("bus")


class Receiver(Parser):
    """Reads what the server sends. What is for none of `notes`, by the id of its subscription, goes the driver's way.

    The beginning of what is not complete stays in the driver's own buffer, so `state` is always its first one.
    """

    def __init__(self, client: Client) -> None:
        self.notes: dict[int, Note] = {}
        super().__init__(client)

    @classmethod
    def of(cls, client: Client) -> "Receiver":
        """Return the receiver of a client, which has one from the first call on."""
        before = client._ps  # noqa: SLF001  there is no other way to it
        if isinstance(before, cls):
            return before
        client._ps = receiver = cls(client)  # noqa: SLF001
        vars(receiver).update(vars(before))
        return receiver

    def reset(self) -> None:
        """Begin anew, with another connection."""
        super().reset()
        self._wanted_bytes = 0
        self._begun = object()

    async def parse(self, data: bytes = b"") -> None:
        """Take in what was read. Raises: ProtocolError."""
        if (
            self.state != AWAITING_CONTROL_LINE
        ):  # it took over from the driver's own within a message
            await super().parse(data)
            return
        self.buf.extend(data)
        if len(self.buf) >= self._wanted_bytes:
            whole = bytes(self.buf)
            self.buf.clear()
            await self._parse(whole)

    async def _parse(self, data: bytes) -> None:
        at, begun, self._wanted_bytes = 0, self._begun, 0
        while (line_end := data.find(END, at)) >= 0:
            start = line_end + len(END)
            line = data[at:line_end].split()
            if not line or line[0] not in {PLAIN, WITH_HEADERS}:
                await super().parse(data[at:start])
                at = start
            else:
                sid, reply, body, stop = _measured(line, start)
                if len(data) < stop + len(END):
                    self._wanted_bytes = stop + len(END) - at
                    break
                at = stop + len(END)
                note = self.notes.get(sid)
                if note is None:
                    block = data[start:body] or None
                    await self.nc._process_msg(sid, line[1], reply, data[body:stop], block)  # noqa: SLF001
                else:
                    self._note(note, line[1], reply, data[body:stop], data[start:body])
            if self._begun is not begun:
                return
        self.buf.extend(data[at:])

    def _note(self, note: Note, subject: bytes, reply: bytes, body: bytes, block: bytes) -> None:
        self.nc.stats["in_msgs"] += 1
        self.nc.stats["in_bytes"] += len(body)
        try:
            note(subject.decode(), body, headers_in(block) if block else {}, reply.decode())
        except Exception:
            log.exception("message_not_noted", subject=subject.decode(errors="replace"))


def _measured(line: Sequence[bytes], start: int) -> tuple[int, bytes, int, int]:
    """Return the subscription, the reply subject, and where body and message end. Raises: ProtocolError."""
    try:
        sizes = 2 if line[0] == WITH_HEADERS else 1
        _, _, sid, *reply = line[:-sizes]
        headers_bytes = int(line[-2]) if sizes == 2 else 0
        return int(sid), reply[0] if reply else b"", start + headers_bytes, start + int(line[-1])
    except (ValueError, IndexError) as error:
        raise ProtocolError("nats: malformed MSG") from error


def headers_in(block: bytes) -> dict[str, str]:
    """Return the headers in a block as it comes over the wire; what the server itself says has a `Status`."""
    first, *lines = block.decode(errors="replace").split("\r\n")
    headers = {"Status": first[STATUS]} if first[STATUS].isdigit() else {}
    for line in lines:
        name, colon, value = line.partition(":")
        name = name.strip(SPACE)
        if colon and name.isascii() and len(name.split()) < 2:
            headers[name] = value.strip(SPACE)
    return headers
