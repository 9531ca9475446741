"""What came for a tenant who had no policy was set aside: it is handled when the tenant is back (docs/adr/0075)."""

import asyncio
from typing import Protocol

import msgspec
import structlog

from services.router.parking import ACTOR
from shared import backoff, commands, errors, ids, queries, query_client, subjects
from shared.bus import Bus
from shared.clock import Clock

RETURN_SECONDS = 5.0
"""By then every process has taken up the tenant's policy."""
ASKING_SECONDS = 5.0
RETRY = backoff.Backoff(first_seconds=1.0, longest_seconds=60.0)

log = structlog.get_logger("router.returning")


class _Reply(msgspec.Struct):
    """Any reply, as far as it tells a refusal."""

    error: commands.Problem | None = None


class Ledger(Protocol):
    """Tells where the ledger ends."""

    async def position(self) -> int: ...


class Returning:
    """Looks, for each tenant who came, at what was set aside only because nobody knew the tenant."""

    def __init__(self, bus: Bus, ledger: Ledger, clock: Clock) -> None:
        self._bus = bus
        self._ledger = ledger
        self._clock = clock
        self._came: asyncio.Queue[str] = asyncio.Queue()

    def note(self, tenant: str) -> None:
        """A tenant came, or this process has begun."""
        self._came.put_nowait(tenant)

    async def run(self) -> None:
        """Take up one tenant after another for ever; whom history says nothing of now is asked about again."""
        tries = 0
        while True:
            came = {await self._came.get()}
            await asyncio.sleep(RETURN_SECONDS)
            while not self._came.empty():
                came.add(self._came.get_nowait())
            left = [tenant for tenant in sorted(came) if not await self._is_done(tenant)]
            tries = tries + 1 if left else 0
            for tenant in left:
                self.note(tenant)
            if left:
                await RETRY.pause(tries)

    async def _is_done(self, tenant: str) -> bool:
        try:
            return await self.take_up(tenant)
        except (errors.ViewUnavailable, errors.BusUnavailable, errors.LedgerUnavailable) as error:
            log.info("tenant_not_taken_up", tenant=tenant, code=error.code)
            return False

    async def take_up(self, tenant: str) -> bool:
        """Have the router handle it, in the order in which it was set aside; tell whether nothing is left for later.

        History is asked when it knows what the ledger holds now: what was set aside last may still be on its way there.
        Raises: ViewUnavailable, BusUnavailable, LedgerUnavailable.
        """
        asked, done = queries.AskParked(min_seq=await self._ledger.position()), True
        while True:
            page = await query_client.ask(self._bus, tenant, asked, timeout_seconds=ASKING_SECONDS)
            for line in page.parked:
                if line.error == errors.TenantUnknown.code:
                    done &= await self._retry(tenant, line)
            if page.next is None:
                return done
            asked = queries.AskParked(after=page.next)

    async def _retry(self, tenant: str, line: queries.ParkedLine) -> bool:
        """Tell whether it is handled, or refused for good: then it stays where it is."""
        now = self._clock.now()
        command = commands.RetryParked(
            command_id=ids.scoped_id(line.parked_id, str(line.sequence), now.isoformat()),
            issued_at=now,
            actor=ACTOR,
            parked_id=line.parked_id,
        )
        subject = subjects.command(tenant, command.verb)
        reply = await self._bus.request(subject, msgspec.json.encode(command))
        refused = msgspec.json.decode(reply, type=_Reply).error
        code = None if refused is None else refused.code
        log.info("set_aside_taken_up", tenant=tenant, parked_id=line.parked_id, code=code)
        return refused is None or not (refused.retryable or code == errors.TenantUnknown.code)
