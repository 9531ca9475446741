"""The frames of a chat socket, counted where they arrive: whole messages are slowed down elsewhere, these are not.

A ping must be answered, a pong costs a look, an empty fragment stays until its message is whole, and none of them ever
reaches the chat. A socket has so many frames a minute, after a burst of as many; beyond, it is closed with 1008.
"""

import logging
from typing import Any, ClassVar

import structlog
from typing_extensions import override
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import (
    HeaderLineTooLong,
    ProtocolError,
    RequestLineTooLong,
    TooManyHeaders,
)
from websockets.frames import DATA_OPCODES, CloseCode, Frame, Opcode
from websockets.server import ServerProtocol

from services.ingest.handlers import logged, problems
from services.ingest.handlers.pace import Pace
from shared import errors

FRAMES_BESIDE_PER_MINUTE = 240
"""How many frames may arrive beside the messages that a socket may take: pieces, pings, answers to our pings."""
FRAME_BYTES = 65_536
"""A longer frame counts once more for each time that it holds as many bytes."""
PIECES_MAX = 64
"""In how many frames one message may come, beside its first."""
ABORT_SECONDS = 1.0
"""How long who was closed on may take to read why."""

log = structlog.get_logger("ingest")


class FrameReader(ServerProtocol):
    """Reads frames until they are too many; what stands behind the last one of them is not even parsed."""

    def __init__(self, pace: Pace, max_bytes: int) -> None:
        super().__init__(max_size=max_bytes, logger=logging.getLogger("uvicorn.error"))
        self._pace = pace
        self._pieces = 0

    @override
    def recv_frame(self, frame: Frame) -> None:
        if self._pace.take(1 + len(frame.data) // FRAME_BYTES) > 0 or self._in_pieces(frame):
            log.info(logged.SOCKET_REFUSED, code=errors.FramesTooMany.code)
            self.fail(CloseCode.POLICY_VIOLATION, errors.FramesTooMany.code)
            self.parser_exc = ProtocolError(errors.FramesTooMany.code)
        else:
            super().recv_frame(frame)

    def _in_pieces(self, frame: Frame) -> bool:
        """Count the pieces of a message; tell whether they are too many."""
        if frame.opcode is Opcode.CONT:
            self._pieces += 1
        elif frame.opcode in DATA_OPCODES:
            self._pieces = 0
        return self._pieces > PIECES_MAX


class CountingProtocol(WebSocketsSansIOProtocol):
    """A chat socket that is closed on when its frames are too many, or are none at all."""

    per_minute: ClassVar[int]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn = FrameReader(Pace(self.per_minute), self.config.ws_max_size)

    @override
    def data_received(self, data: bytes) -> None:
        """Read on; a request that is no handshake (it has a body, a field too long) is answered: uvicorn would wait."""
        super().data_received(data)
        unread = self.conn.handshake_exc
        if unread is not None and not self.close_sent:
            self.handshake_complete = self.close_sent = True
            large = isinstance(unread, RequestLineTooLong | HeaderLineTooLong | TooManyHeaders)
            error = errors.HeadTooLarge() if large else errors.RequestUnreadable()
            log.info(logged.SOCKET_REFUSED, code=error.code)
            problems.refuse(self.transport, error)

    @override
    def handle_parser_exception(self) -> None:
        if (
            self.conn.close_sent is None
        ):  # before the handshake was answered: there is no frame to say it in
            self.transport.abort()
            return
        super().handle_parser_exception()
        self.loop.call_later(ABORT_SECONDS, self.transport.abort)


def counting(messages_per_minute: int) -> type[CountingProtocol]:
    """Return the protocol with its limit set: uvicorn makes one per connection and passes no settings."""
    per_minute = messages_per_minute + FRAMES_BESIDE_PER_MINUTE
    return type("Counting", (CountingProtocol,), {"per_minute": per_minute})
