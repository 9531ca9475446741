"""Reads a body whose sender has proved nothing yet: within a size, a time, a least rate, and beside others."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from starlette.requests import ClientDisconnect, Request

from services.ingest.handlers.arrivals import Arrivals
from services.ingest.handlers.room import Room, Share
from shared import errors
from shared.settings import Settings, large_bodies_max_bytes

GRACE_SECONDS = 5.0
"""What a body may lie behind its least rate: lost packets on a bad line. A slow sender comes back less often, too."""
EXTENDING_BYTES_PER_SECOND = 1_048_576
"""A large body takes longer, to read and to store: by a second for so many bytes."""


def more_seconds(size_bytes: int) -> float:
    """Return how much longer than the door's time a body may take."""
    return size_bytes / EXTENDING_BYTES_PER_SECOND


class Bodies:
    """Reads the bodies of all doors."""

    def __init__(self, settings: Settings) -> None:
        self._bytes_per_second = settings.body_bytes_per_second
        self._arrivals = Arrivals(
            most=settings.door_arrivals, most_of_a_peer=settings.peer_arrivals
        )
        self._room = Room(
            most_bytes=settings.bodies_max_bytes,
            most_bytes_of_large=large_bodies_max_bytes(settings),
            small_bytes=settings.body_max_bytes,
        )

    @contextlib.asynccontextmanager
    async def held(
        self, request: Request, peer: str, until: float, max_bytes: int
    ) -> AsyncIterator[bytes]:
        """Give the body, which has its room until the block ends.

        `until`: the instant of the loop's clock at which it must have come whole, if it is small.
        Raises: BodyTooLarge before more than the limit is kept, BodiesTooMany, DeliveryTooSlow, DoorUnavailable when
        the sender went.
        """
        declared = request.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > max_bytes:
            raise errors.BodyTooLarge(limit_bytes=max_bytes)
        with self._room.share() as share:
            yield await self._read(request, peer, until, max_bytes, share)

    async def _read(
        self, request: Request, peer: str, until: float, max_bytes: int, share: Share
    ) -> bytes:
        try:
            async with asyncio.timeout(None) as patience:
                with self._arrivals.one(peer, patience) as share.arrival:
                    return await self._pieces(request, share, until, max_bytes)
        except TimeoutError:
            raise errors.DeliveryTooSlow from None
        except ClientDisconnect:
            raise errors.DoorUnavailable("the sender went away") from None
        finally:
            share.arrival = None

    async def _pieces(self, request: Request, share: Share, until: float, max_bytes: int) -> bytes:
        """Read piece by piece; each moves the end of the sender's time. Raises: BodyTooLarge, BodiesTooMany."""
        arrival = share.arrival
        assert arrival is not None, "it is on its way"
        grace_ends = asyncio.get_running_loop().time() + GRACE_SECONDS
        arrival.wait_until(min(until, grace_ends))
        body = bytearray()
        async for piece in request.stream():
            if not piece:  # the end
                break
            if len(body) + len(piece) > max_bytes:
                raise errors.BodyTooLarge(limit_bytes=max_bytes)
            share.grow(len(piece))
            body += piece
            at_the_least_rate = grace_ends + len(body) / self._bytes_per_second
            arrival.wait_until(min(until + more_seconds(len(body)), at_the_least_rate))
        return bytes(body)
