"""Reads a body whose sender has proved nothing yet: within a size, a time, a least rate, and beside others."""

import asyncio

from starlette.requests import ClientDisconnect, Request

from services.ingest.handlers.arrivals import Arrival, Arrivals
from shared import errors
from shared.settings import Settings

GRACE_SECONDS = 5.0
"""What a body may lie behind its least rate: lost packets on a bad line. A slow sender comes back less often, too."""


class Bodies:
    """Reads the bodies of all doors."""

    def __init__(self, settings: Settings) -> None:
        self._max_bytes = settings.body_max_bytes
        self._bytes_per_second = settings.body_bytes_per_second
        self._arrivals = Arrivals(
            most=settings.door_arrivals, most_of_a_peer=settings.peer_arrivals
        )

    async def read(self, request: Request, peer: str, until: float) -> bytes:
        """Return the body. `until`: the instant of the loop's clock at which it must have come whole.

        Raises: BodyTooLarge before more than the limit is kept, DeliveryTooSlow, DoorUnavailable when the sender went.
        """
        declared = request.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > self._max_bytes:
            raise errors.BodyTooLarge(limit_bytes=self._max_bytes)
        try:
            async with asyncio.timeout(None) as patience:
                with self._arrivals.one(peer, patience) as arrival:
                    return await self._pieces(request, arrival, until)
        except TimeoutError:
            raise errors.DeliveryTooSlow from None
        except ClientDisconnect:
            raise errors.DoorUnavailable("the sender went away") from None

    async def _pieces(self, request: Request, arrival: Arrival, until: float) -> bytes:
        """Read piece by piece; each moves the end of the sender's time. Raises: BodyTooLarge."""
        grace_ends = asyncio.get_running_loop().time() + GRACE_SECONDS
        arrival.wait_until(min(until, grace_ends))
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > self._max_bytes:
                raise errors.BodyTooLarge(limit_bytes=self._max_bytes)
            arrival.wait_until(min(until, grace_ends + len(body) / self._bytes_per_second))
        return bytes(body)
