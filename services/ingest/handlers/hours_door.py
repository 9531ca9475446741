"""The address that a shop's contact page reads: which channels are open now, until when, and how long they take.

Hours are the policy's, so they are told whatever is away; how long it takes is history's, and is left out where it does
not answer in time. One answer for all who ask within some seconds, however many they are.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from services.ingest.domain.contact_page import (
    MEDIA,
    ChannelHours,
    ContactPage,
    UsualWait,
    channel_hours,
    usual_waits,
)
from services.ingest.handlers import problems
from services.ingest.handlers.accounts import Accounts
from shared import calendars, errors, queries, query_client
from shared.bus import Bus
from shared.clock import Clock

KEPT_SECONDS = 10.0
MAX_AGE_SECONDS = 60
"""So long a browser or a proxy may show what it has, or until it opens or closes."""
ASKING_SECONDS = 1.0

ANYBODY = {"access-control-allow-origin": "*", "x-content-type-options": "nosniff"}


@dataclass(frozen=True, slots=True)
class _Told:
    """An answer. `changes`: when a channel opens or closes."""

    body: bytes
    etag: str
    changes: datetime | None


class HoursDoor:
    """Tells anybody when somebody is there."""

    def __init__(self, accounts: Accounts, bus: Bus, clock: Clock) -> None:
        self._accounts = accounts
        self._bus = bus
        self._clock = clock
        self._told: dict[str, asyncio.Task[_Told]] = {}

    async def serve(self, request: Request, tenant: str) -> Response:
        """Answer a request; whoever has the answer already is told that it holds."""
        try:
            self._accounts.check(tenant)
        except errors.TenantUnknown as error:
            return problems.problem(error)
        told = await asyncio.shield(self._task(tenant))
        headers = {**ANYBODY, "etag": told.etag, "cache-control": self._kept_for(told)}
        known = {each.strip() for each in request.headers.get("if-none-match", "").split(",")}
        if known & {told.etag, f"W/{told.etag}", "*"}:
            return Response(status_code=304, headers=headers)
        return Response(told.body, headers=headers, media_type="application/json")

    def _task(self, tenant: str) -> asyncio.Task[_Told]:
        known = self._told.get(tenant)
        if known is None or _is_over(known, self._clock.now()):
            known = self._told[tenant] = asyncio.create_task(self._tell(tenant))
            asyncio.get_running_loop().call_later(KEPT_SECONDS, self._forget, tenant, known)
        return known

    def _forget(self, tenant: str, known: asyncio.Task[_Told]) -> None:
        if self._told.get(tenant) is known:
            del self._told[tenant]

    def _kept_for(self, told: _Told) -> str:
        left = timedelta(seconds=MAX_AGE_SECONDS)
        if told.changes is not None:
            left = min(left, told.changes - self._clock.now())
        return f"public, max-age={max(0, int(left.total_seconds()))}"

    async def _tell(self, tenant: str) -> _Told:
        waits, now = await self._waits(tenant), self._clock.now()
        lines: list[ChannelHours] = []
        changes: list[datetime] = []
        for door in self._accounts.of_tenant(tenant):
            medium = door.channel.MEDIUM
            if medium not in MEDIA or not door.open:
                continue
            calendar = self._accounts.hours(door)
            hours = calendars.open_now(calendar, now)
            wait = waits.get((door.rules.queue, medium))
            name = door.channel.NAME, door.account
            lines.append(channel_hours(medium, name, calendar, hours, wait))
            changes += [hours.changes] if hours.changes else []
        body = msgspec.json.encode(ContactPage(channels=lines))
        digest = hashlib.sha256(body).hexdigest()[:32]
        return _Told(body, f'"{digest}"', min(changes, default=None))

    async def _waits(self, tenant: str) -> Mapping[tuple[str, str], UsualWait]:
        asked = queries.AskWaiting()
        try:
            async with asyncio.timeout(ASKING_SECONDS):
                found = await query_client.ask(
                    self._bus, tenant, asked, timeout_seconds=ASKING_SECONDS
                )
        except (errors.TellonceError, TimeoutError):
            return {}
        return usual_waits(found.queues)


def _is_over(told: asyncio.Task[_Told], now: datetime) -> bool:
    """Tell whether a channel has opened or closed since, or the answer could not be made."""
    if not told.done():
        return False
    if told.cancelled() or told.exception() is not None:
        return True
    changes = told.result().changes
    return changes is not None and changes <= now
