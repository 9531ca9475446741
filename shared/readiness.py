"""Ready means that a service does its work: what it stores can be read, and each of its checks holds.

It says so on the bus by the micro protocol, and answers `ops.<service>.health` with what is wrong and what waits.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import msgspec
import structlog

from shared import VERSION, errors, metrics, streams, subjects
from shared.bus import Bus
from shared.bus.micro import Announcement

EXAMINE_SECONDS = 2.0
STARTING_SECONDS = 0.2
"""How often a service is examined while it is not ready: it is to be known as soon as it is."""
CHECK_SECONDS = 3.0
FORGIVEN_SECONDS = 5.0
"""A busy machine is not a broken service: so long the last good look counts."""
STALLED_SECONDS = 30.0
"""A look takes some seconds at most, whatever is away: where none has ended for so long, the process hangs."""
TOKEN_BYTES = 12

log = structlog.get_logger("readiness")

Check = Callable[[], Awaitable[None]]
"""Raises: TellonceError, which says what is wrong."""


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """What keeps a service from its work, or from a part of it. `about`: names of what is concerned."""

    code: str
    about: str = ""


class LaneBacklog(msgspec.Struct, frozen=True, kw_only=True):
    """What waits in a lane of contacts. `oldest`: since when its oldest does; `contact_events`: how many do."""

    oldest: datetime
    contact_events: int


class Backlog(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What waits.

    `oldest_undecided`, `oldest_unsent`: when the first contact event that the router has not decided, and the first
    ledger event that notify has not told of, were stored; `lag_events`: those that history has not projected; `parked`:
    what failed unexpectedly, or could not be read, and waits for an operator; `undecided`: what the router has not
    decided, by lane, of those in which anything waits.
    """

    oldest_undecided: datetime | None = None
    oldest_unsent: datetime | None = None
    lag_events: int | None = None
    parked: int | None = None
    undecided: dict[str, LaneBacklog] = {}


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to `ops.<service>.health`. A ready service may have troubles: one account's is not all accounts'.

    `policies`: the version that is in force there, by tenant.
    """

    service: str
    ready: bool
    troubles: list[Trouble]
    backlog: Backlog
    policies: dict[str, str] = {}


class Canary:
    """A small message that is stored and read: JetStream takes what it is given, on the disk, and gives it back."""

    def __init__(self, bus: Bus, service: str) -> None:
        self._bus = bus
        self._subject = subjects.canary(service, secrets.token_hex(TOKEN_BYTES))

    async def check(self) -> None:
        """Raises: BusUnavailable, JetStreamRefused, StreamDrift when it is not read as it was stored."""
        body = secrets.token_bytes(TOKEN_BYTES)
        ack = await self._bus.submit(self._subject, body, {}, timeout_seconds=CHECK_SECONDS)
        if ack.error is not None:
            raise errors.JetStreamRefused(ack.error.description, err_code=ack.error.err_code)
        held = await self._bus.leader_get(streams.CANARY, sequence=ack.seq)
        if held is None or held.body != body:
            raise errors.StreamDrift(stream=streams.CANARY, field="canary")


async def nothing_waits() -> Backlog:
    """Return the backlog of a service that has none of its own."""
    return Backlog()


class Readiness:
    """Examines one process of a service; a stream that left its last store without an answer is a trouble too.

    `checks`: beside the canary; `parts`: troubles of a part, not of the whole; `backlog`: what waits; `policies`: the
    versions in force, by tenant.
    """

    def __init__(
        self,
        bus: Bus,
        service: str,
        checks: Sequence[Check] = (),
        *,
        parts: Callable[[], Sequence[Trouble]] = tuple,
        backlog: Callable[[], Awaitable[Backlog]] = nothing_waits,
        policies: Callable[[], dict[str, str]] = dict,
    ) -> None:
        self._service = service
        self._checks = list(checks)
        self._silent = bus.unanswered.lately
        self._canary = Canary(bus, service)
        self._parts = parts
        self._backlog = backlog
        self._policies = policies
        self._announcement = Announcement(bus, service, VERSION)
        self._troubles: list[Trouble] = []
        self._good = 0.0
        self._looked = time.monotonic()

    @property
    def ready(self) -> bool:
        """Whether the service does its work."""
        return self._announcement.made

    @property
    def troubles(self) -> list[Trouble]:
        """What keeps the service from its work, and what keeps it from a part."""
        return [*self._troubles, *self._parts()]

    @property
    def stalled(self) -> bool:
        """Whether it was not examined for STALLED_SECONDS: its loop turns, and its work does not go on."""
        return time.monotonic() - self._looked > STALLED_SECONDS

    async def run(self) -> None:
        """Examine for ever, and say on the bus how it is."""
        while True:
            await self.examine()
            self._looked = time.monotonic()
            pause = EXAMINE_SECONDS if self.ready else STARTING_SECONDS
            await asyncio.sleep(pause)
            metrics.LOOP_LATE.set(time.monotonic() - self._looked - pause)

    async def examine(self) -> None:
        """Run every check; announce the service when all hold, withdraw it when one has not for FORGIVEN_SECONDS."""
        now = asyncio.get_running_loop().time()
        silent = [Trouble(code=errors.TimedOut.code, about=each) for each in self._silent()]
        found = [trouble for check in self._checks for trouble in await _trouble(check)] + silent
        self._troubles = found or await _trouble(self._canary.check)
        if not self._troubles:
            self._good = now
            if not self.ready:
                with contextlib.suppress(errors.BusUnavailable):
                    await self._announcement.make()
                    log.info("service_ready", service=self._service)
        elif self.ready and now - self._good > FORGIVEN_SECONDS:
            await self._announcement.withdraw()
            log.error("service_not_ready", service=self._service, code=self._troubles[0].code)

    async def health(self, _: str, __: bytes) -> Health:
        """Answer `ops.<service>.health`."""
        backlog = Backlog()
        with contextlib.suppress(errors.TellonceError, TimeoutError):
            async with asyncio.timeout(CHECK_SECONDS):
                backlog = await self._backlog()
        return Health(
            service=self._service,
            ready=self.ready,
            troubles=self.troubles,
            backlog=backlog,
            policies=self._policies(),
        )


async def _trouble(check: Check) -> list[Trouble]:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await check()
    except errors.TellonceError as error:
        named = [str(each) for each in error.details.values() if each is not None]
        return [Trouble(code=error.code, about=" ".join(named))]
    except TimeoutError:
        return [Trouble(code=errors.TimedOut.code)]
    return []
