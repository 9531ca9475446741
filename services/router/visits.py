"""Looks for a customer's last visit to the pages, in VISITS. It is help, never a condition: absent or late is none."""

import asyncio
from collections.abc import Sequence

import structlog

from services.router.domain.identify import identifies
from services.router.domain.visits import HANDLES_ASKED, as_trusted, degree_of, last_visit, surest
from shared import errors, events
from shared.events.packet import Visit
from shared.policy import Policy
from shared.visit_reader import VisitReader

LOOK_SECONDS = 0.3
"""So long a decision waits for it."""

log = structlog.get_logger("router.visits")


class LastVisits:
    """Finds last visits."""

    def __init__(self, reader: VisitReader) -> None:
        self._reader = reader

    async def of(self, policy: Policy, handles: Sequence[events.Handle]) -> Visit | None:
        """Return the last visit of who has these handles, the surest first; `None` when none is found in time."""
        asked = [each for each in handles if identifies(policy, each)][:HANDLES_ASKED]
        if not asked:
            return None
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                links = await self._reader.visitors(policy.tenant, asked)
                found = surest([(handle, as_trusted(policy, link)) for handle, link in links])
                if found is None:
                    return None
                seen = await self._reader.of_visitor(policy.tenant, found[1].visitor)
                return last_visit(seen, found[0], degree_of(*found))
        except (TimeoutError, errors.TellonceError) as error:
            code = error.code if isinstance(error, errors.TellonceError) else "timed_out"
            log.info("visit_unread", code=code)
            return None
