"""The files of chat pages: announced, let in, taken piece by piece, and whole before anything is stored.

A page announces a file and sends nothing of it before it hears `go`: until then it waits for the pace of all its bytes,
which stays below that of `frames`. Over the number at once, of a peer or in sum, whoever has been sending longest is
shown out (`arrivals`): a crowd of slow senders pushes out only itself.
"""

import asyncio
from collections.abc import Awaitable, Callable

from services.ingest.channels.chat import File
from services.ingest.domain import fetching
from services.ingest.domain.fetching import Unfetchable
from services.ingest.handlers.arrivals import Arrivals
from services.ingest.handlers.bodies import GRACE_SECONDS
from services.ingest.handlers.frames import FRAMES_BESIDE_PER_MINUTE
from services.ingest.handlers.pace import Pace
from shared import errors, events
from shared.settings import Settings

AT_ONCE = 8
AT_ONCE_OF_A_PEER = 4
PIECE_BYTES = 60_000
"""A page cuts its file into pieces of so many bytes, or of less than `frames.FRAME_BYTES`."""
BYTES_PER_SECOND = 8_192
"""Least rate of a file: a photograph by a bad mobile connection."""

Receiving = Callable[[], Awaitable[bytes]]
"""Gives the next piece; a frame that is none is empty. Raises what ends the socket."""


def pace() -> Pace:
    """Return the pace of one socket's files, in pieces."""
    return Pace(FRAMES_BESIDE_PER_MINUTE)


class PageFiles:
    """Takes files within the settings' limits. What it holds in sum is bounded by AT_ONCE files."""

    def __init__(self, settings: Settings) -> None:
        self._max_bytes = settings.chat_file_max_bytes
        self._taken = [each.lower() for each in settings.chat_file_kinds.split()]
        self._refused = settings.attachment_refused.split()
        self._arrivals = Arrivals(most=AT_ONCE, most_of_a_peer=AT_ONCE_OF_A_PEER)

    def check(self, file: File) -> None:
        """Raises: FileRefused for a kind that is not taken, BodyTooLarge."""
        kind = file.media_type.lower()
        try:
            fetching.check_kind(
                events.AttachedFile(name=file.name, media_type=kind), kind, self._refused
            )
        except Unfetchable as error:
            raise errors.FileRefused(kinds=" ".join(self._taken)) from error
        if kind not in self._taken:
            raise errors.FileRefused(kinds=" ".join(self._taken))
        if file.size > self._max_bytes:
            raise errors.BodyTooLarge(limit_bytes=self._max_bytes)

    async def take(self, file: File, peer: str, receive: Receiving) -> bytes:
        """Return a file that was let in. Raises: DeliveryTooSlow, PayloadUnreadable, and as `receive`.

        After any of them what comes next on the socket may be the rest of the file: the socket is of no more use.
        """
        ends = asyncio.get_running_loop().time() + GRACE_SECONDS + file.size / BYTES_PER_SECOND
        try:
            async with asyncio.timeout(None) as patience:
                with self._arrivals.one(peer, patience) as arrival:
                    arrival.wait_until(ends)
                    return await _pieces(file.size, receive)
        except TimeoutError:
            raise errors.DeliveryTooSlow from None


def frames_of(file: File) -> int:
    """Return how many frames a file takes, in pieces of PIECE_BYTES or a little more."""
    return 1 + file.size // PIECE_BYTES


async def _pieces(size_bytes: int, receive: Receiving) -> bytes:
    content = bytearray()
    while len(content) < size_bytes:
        piece = await receive()
        if not piece or len(content) + len(piece) > size_bytes:
            raise errors.PayloadUnreadable("a file comes in pieces, as long as it was said to be")
        content += piece
    return bytes(content)
