"""Requests on the bus: commands and queries, sent again with the same bytes until somebody answers."""

import asyncio
import time
from typing import Any

import msgspec

from deploy.story.errors import StepFailed, StoryStackUnusable
from shared import bus as buses
from shared import errors, subjects
from shared.bus_address import BusAddress

REPLY_SECONDS = 1.5
"""Longest wait for one try: a request that a killed service had taken is never answered."""
OPERATE_SECONDS = 15.0
"""As REPLY_SECONDS, for what takes an operator's patience; each next try waits twice as long, for it may be slow."""
PAUSE_SECONDS = 0.1
CONNECT_ATTEMPTS = 5


class Asker:
    """One connection to the bus. `position`: the last ledger position that an answer named."""

    def __init__(self, tenant: str) -> None:
        self.tenant = tenant
        self.position = 0
        self._bus: buses.Bus | None = None

    @property
    def bus(self) -> buses.Bus:
        assert self._bus is not None, "open() comes first"
        return self._bus

    async def open(self, address: BusAddress) -> None:
        """Connect. Raises: StoryStackUnusable."""
        for attempt in range(1, CONNECT_ATTEMPTS + 1):
            try:
                self._bus = await buses.connect(address, "story")
            except errors.BusUnavailable:
                if attempt == CONNECT_ATTEMPTS:
                    raise StoryStackUnusable("the bus of the stack does not answer") from None
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                return

    async def close(self) -> None:
        if self._bus is not None:
            await self._bus.close()
            self._bus = None

    async def command(
        self, name: str, body: dict[str, Any], deadline: float, tenant: str | None = None
    ) -> dict[str, Any]:
        """Send a command and return the reply, `error` included; retryable refusals are sent again.

        `deadline`: on the monotonic clock. Raises: StepFailed (`step.not_reached`).
        """
        return await self._ask(subjects.command(tenant or self.tenant, name), body, deadline)

    async def query(self, name: str, body: dict[str, Any], deadline: float) -> dict[str, Any]:
        """Ask a query about a state not older than what we know of, and return the answer, `error` included.

        Raises: StepFailed (`step.not_reached`).
        """
        asked = {"min_seq": self.position, **body} if self.position else body
        return await self._ask(subjects.query(self.tenant, name), asked, deadline)

    async def operate(self, service: str, name: str, deadline: float) -> dict[str, Any]:
        """Ask an operator's request of a service, again when its answer was lost.

        Raises: StepFailed (`step.not_reached`).
        """
        return await self._ask(subjects.ops(service, name), {}, deadline, OPERATE_SECONDS)

    async def _ask(
        self,
        subject: str,
        body: dict[str, Any],
        deadline: float,
        reply_seconds: float = REPLY_SECONDS,
    ) -> dict[str, Any]:
        payload = msgspec.json.encode(body)
        last: Any = "no answer"
        while True:
            left = deadline - time.monotonic()
            try:
                reply = await self.bus.request(
                    subject, payload, timeout_seconds=max(0.1, min(reply_seconds, left))
                )
                answer: dict[str, Any] = msgspec.json.decode(reply)
                if not answer.get("error", {}).get("retryable"):
                    self.position = max(self.position, int(answer.get("position") or 0))
                    return answer
                last = answer
            except errors.BusUnavailable as error:
                last = error.code
                if isinstance(error, errors.TimedOut) and reply_seconds >= OPERATE_SECONDS:
                    reply_seconds *= 2
            if time.monotonic() + PAUSE_SECONDS > deadline:
                raise StepFailed(
                    "step.not_reached", f"{subject} was not carried out in time", got=last
                )
            await asyncio.sleep(PAUSE_SECONDS)
