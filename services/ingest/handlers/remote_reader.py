"""What ingest fetches itself, a mailbox, an exchange's events, a list of calls, goes to RAW as what the doors take.

One reader per account, for ever: what keeps it from reading is a trouble of its account and of no other.
"""

import abc

import structlog

from services.ingest.domain.delivery import Headers, WebRequest
from services.ingest.handlers import logged
from services.ingest.handlers.accounts import Door
from services.ingest.handlers.raw_store import RawStore
from shared import errors
from shared.backoff import Backoff
from shared.bus import Bus
from shared.clock import Clock
from shared.readiness import Trouble

RETRY = Backoff(first_seconds=1.0, longest_seconds=60.0)
REMEMBERED_TRIES = 16

log = structlog.get_logger("ingest")


class RemoteReader(abc.ABC):
    """Reads what an account's provider has. `trouble`: what keeps it from that."""

    def __init__(self, door: Door, bus: Bus, store: RawStore, clock: Clock) -> None:
        self._door = door
        self._bus = bus
        self._store = store
        self._clock = clock
        self.trouble: Trouble | None = None

    async def run(self) -> None:
        """Read, and begin anew after whatever keeps it from reading. Raises: BusUnavailable when the bus was closed."""
        tries = 0
        try:
            while True:
                try:
                    await self._follow()
                except errors.DeliveryOvertaken:
                    tries = 0
                    continue
                except Exception as error:
                    if self._bus.closed:
                        raise
                    tries = 1 if self.trouble is None else min(tries + 1, REMEMBERED_TRIES)
                    self._tell(_told(error))
                finally:
                    self._let_go()
                await RETRY.pause(tries)
        finally:
            self._end()

    @abc.abstractmethod
    async def _follow(self) -> None:
        """Connect and read until it breaks; no trouble is left once it reads. Raises: TellonceError."""

    def _let_go(self) -> None:  # noqa: B027  most readers hold nothing beyond `_follow`
        """End the connection, whatever became of it."""

    def _end(self) -> None:  # noqa: B027  likewise
        """End what the reader holds; it does not read again."""

    def _secret(self, name: str) -> str:
        """Return a secret of the account. Raises: ProviderWithoutSecrets."""
        if name not in self._door.secrets:
            raise errors.ProviderWithoutSecrets(cause=name)
        return self._door.secrets[name]

    async def _keep(
        self, method: str, url: str, headers: Headers, body: bytes, behind: int | None = None
    ) -> int:
        """Store what was read; return its position. Raises: as `RawStore.append`."""
        door = self._door
        channel = door.channel.NAME
        request = WebRequest(method, url, headers, body, self._clock.now())
        ack = await self._store.append(door.tenant, channel, door.account, request, behind=behind)
        log.info(
            logged.DELIVERY_STORED,
            tenant=door.tenant,
            channel=channel,
            account=door.account,
            sequence=ack.sequence,
            body_bytes=len(body),
        )
        return ack.sequence

    def _opened(self) -> None:
        log.info(logged.REMOTE_OPENED, account=self._door.place)

    def _tell(self, error: errors.TellonceError) -> None:
        if self.trouble is None or self.trouble.code != error.code:
            cause = error.details.get("cause")
            log.error(
                logged.REMOTE_UNREAD,
                account=self._door.place,
                code=error.code,
                cause=cause,
                exc_info=error.__cause__ if isinstance(error, errors.InternalFailure) else None,
            )
        self.trouble = Trouble(code=error.code, about=self._door.place)


def _told(error: Exception) -> errors.TellonceError:
    """Return what nobody foresaw as a fault of ours: it stops the reading of this account, and of no other."""
    if isinstance(error, errors.TellonceError):
        return error
    fault = errors.InternalFailure(cause=type(error).__name__)
    fault.__cause__ = error
    return fault
