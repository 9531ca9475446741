"""Hands answers to chat pages: stored in ANSWERS is sent, for ingest keeps bringing what stands there to the page.

The two steps of a message (ADR 0014): without a connection nothing was stored; storing is the last step. It is tried
again under the message's id, which the stream takes once; where no try is answered, nobody knows.
"""

import contextlib
from collections.abc import AsyncIterator

from services.notify.carriers import NotTaken, Transaction, Unanswered
from services.notify.channels.chat import PageMessage, Stored
from shared import errors
from shared.bus import Bus

NAME = "page"
CONNECTED_SECONDS = 5.0


class PageCarrier:
    """The carrier of answers to chat pages."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    @contextlib.asynccontextmanager
    async def transaction(self, request: PageMessage) -> AsyncIterator[Transaction]:
        """See `Carrier.transaction`: the connection to NATS, which is there already or not."""
        try:
            await self._bus.until_connected(CONNECTED_SECONDS)
        except errors.BusUnavailable as error:
            raise NotTaken() from error
        yield _PageTransaction(self._bus, request)


class _PageTransaction:
    def __init__(self, bus: Bus, request: PageMessage) -> None:
        self._bus = bus
        self._request = request

    async def commit(self) -> Stored:
        """See `Transaction.commit`."""
        stored = self._request
        try:
            await self._bus.store(stored.subject, stored.body, msg_id=stored.message_id)
        except errors.JetStreamRefused as error:
            return Stored(err_code=int(error.details.get("err_code") or 0))
        except errors.BusUnavailable as error:
            raise Unanswered() from error
        return Stored()

    async def again(self, pause_seconds: float) -> bool:  # noqa: ARG002  the shape all carriers share
        """See `Transaction.again`: the stream refuses nothing for a while."""
        return False
