"""A small shop's day: customers write, deliveries are repeated, agents take what they are offered and answer."""

import asyncio
import contextlib
import itertools
import random
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec

from deploy.embedded.stack import EmbeddedStack
from deploy.story.providers import doors, provider_of
from services.router.tolerant_codec import TolerantCodec, is_unreadable
from shared import errors, subjects
from shared.bus import Bus
from shared.events import AnyEvent
from shared.ledger.jetstream import NatsLedger
from shared.policy import Policy
from tests.faults.observed import Observed

TENANT = "demo"
EVERY_SECONDS = 0.25
DELIVERED_WITHIN_SECONDS = 60.0
REQUEST_SECONDS = 4.0
PAUSE_SECONDS = 0.2
POLL_SECONDS = 0.02
COMMAND_SECONDS = 60.0
REPEATED = 0.3
MAILS = 0.3
AGENTS = ("piotr", "ewa", "marek")
_MARKER = re.compile(r"\bm\d+x\b")


def marker_in(text: str) -> str:
    """Return the marker of the delivery that a text came with."""
    found = _MARKER.search(text)
    return found[0] if found else ""


async def wait(seconds: float = PAUSE_SECONDS) -> None:
    """Wait before the same is tried, or the next is done."""
    await asyncio.sleep(seconds)


class Traffic:
    """Customers and agents. `decided`: markers that stand in the ledger, as the follower sees them."""

    def __init__(
        self,
        stack: EmbeddedStack,
        bus: Bus,
        observed: Observed,
        policy: Policy,
        secrets: Mapping[str, str],
    ) -> None:
        self._stack, self._bus, self._observed = stack, bus, observed
        self._policy, self._secrets = policy, secrets
        self._random = random.Random(observed.seed)
        self._numbers = itertools.count(1)
        self._commands = itertools.count(1)
        self._working: set[asyncio.Task[None]] = set()
        self._sending: set[asyncio.Task[bool]] = set()
        self._mailed: set[str] = set()
        self.decided: set[str] = set()
        self.refused: list[int] = []

    # -- customers ----------------------------------------------------------------------------------

    async def customers(self) -> None:
        """Somebody new writes every EVERY_SECONDS, until cancelled."""
        while True:
            task = asyncio.create_task(self.somebody_writes())
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
            await wait(EVERY_SECONDS)

    async def somebody_writes(self) -> bool:
        """Deliver until the door takes it, some of it twice; tell whether it was taken."""
        marker = f"m{next(self._numbers)}x"
        delivery = self._made(marker)
        taken = await self._deliver(delivery)
        if taken:
            self._observed.acknowledged.add(marker)
        if self._random.random() < REPEATED:
            await self._deliver(delivery)
        return taken

    async def decided_after(self, within_seconds: float) -> float | None:
        """Return how long it takes until a new delivery, and all that was taken before, stand in the ledger.

        `None`: longer than `within_seconds`.
        """
        began = time.monotonic()
        marker = f"m{next(self._numbers)}x"
        sending = asyncio.create_task(self._deliver(self._made(marker)))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_seconds):
                if await sending:
                    self._observed.acknowledged.add(marker)
                await self.until_decided({*self._observed.acknowledged, marker})
                return time.monotonic() - began
        return None

    async def until_decided(self, markers: set[str]) -> None:
        while not markers <= self.decided:  # noqa: ASYNC110  the condition is a server's
            await asyncio.sleep(POLL_SECONDS)

    def _made(self, marker: str) -> doors.Delivery:
        mail = self._random.random() < MAILS
        account = "email/shop" if mail else "form/contact"
        content: dict[str, str] = {"text": f"{marker} where is ORD-1{marker[1:-1]:0>4}?"}
        address = f"{marker}@customer.example"
        if mail:
            content = {**content, "from": address, "to": "help@shop.example", "title": "Parcel"}
        else:
            content = {"submission_id": marker, "email": address, "message": content["text"]}
        body: object = _mail(content) if mail else content
        door = doors.door_of(self._stack.addresses["ingest"], "", TENANT, account)
        key = doors.secret_of(self._policy.accounts[account], self._secrets)
        return doors.make_delivery(provider_of(account), door, body, key, {})

    async def _deliver(self, delivery: doors.Delivery) -> bool:
        """Deliver as a provider does: the same again until it is taken. A refusal for good is counted."""
        deadline = time.monotonic() + DELIVERED_WITHIN_SECONDS
        async with httpx.AsyncClient(timeout=REQUEST_SECONDS, trust_env=False) as client:
            while time.monotonic() < deadline:
                with contextlib.suppress(httpx.TransportError):
                    answer = await client.post(
                        delivery.url, headers=delivery.headers, content=delivery.body
                    )
                    if answer.status_code < 300:
                        return True
                    self.refused.append(answer.status_code)
                await wait()
        return False

    # -- agents ---------------------------------------------------------------------------------------

    async def follow(self) -> None:
        """Read the ledger as it grows, and let agents do what is theirs; until cancelled."""
        ledger = NatsLedger(self._bus, TolerantCodec())
        async for batch in ledger.follow(0):
            for each in batch:
                if is_unreadable(each.event):
                    continue
                self._observed.followed[each.sequence] = each.event.id
                self._see(each.event)

    async def count(self) -> None:
        """Ask where the ledger ends, again and again; until cancelled."""
        ledger = NatsLedger(self._bus, TolerantCodec())
        while True:
            with contextlib.suppress(errors.TellonceError):
                self._observed.ends.append(await ledger.position())
            await wait()

    def _see(self, event: AnyEvent) -> None:
        personal: Any = getattr(event, "personal", None)
        marker = marker_in(getattr(personal, "text", "") or "")
        if marker and event.type in {"form.submitted", "message.received"}:
            self.decided.add(marker)
            if event.type == "message.received" and event.conversation is not None:
                self._mailed.add(event.conversation)
        if event.type == "contact.offered":
            task = asyncio.create_task(self._work(event))
            self._working.add(task)
            task.add_done_callback(self._working.discard)

    async def _work(self, offered: AnyEvent) -> None:
        """Take what was offered, answer it if it was a mail, and end it most of the time."""
        opened: Any = offered.open
        about = {"conversation": offered.conversation}
        if not await self.does(opened.agent, "accept_offer", offer_id=opened.offer_id, **about):
            return
        if offered.conversation in self._mailed:
            text = f"Your parcel is on its way. {offered.conversation}"
            await self.does(opened.agent, "send_message", channel="email", text=text, **about)
        if self._random.random() < 0.1:
            return
        done = {"disposition": "solved", "summary": "It is on its way."}
        if await self.does(opened.agent, "wrap_up", **done, **about):
            await self.does(opened.agent, "resolve", **about)

    async def does(self, agent: str, verb: str, **fields: Any) -> bool:
        """Give a command until somebody answers, with the same bytes; tell whether it was done."""
        number = next(self._commands)
        command = {
            "command_id": f"f{self._observed.seed}-{number}",
            "issued_at": datetime.now(UTC).isoformat(),
            "actor": f"agent:{agent}",
            **fields,
        }
        body, deadline = msgspec.json.encode(command), time.monotonic() + COMMAND_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(errors.TellonceError):
                answer = await self._bus.request(
                    subjects.command(TENANT, verb), body, timeout_seconds=REQUEST_SECONDS
                )
                reply = msgspec.json.decode(answer)
                if reply.get("ok"):
                    self._observed.replies.append(reply)
                    return True
                if not reply["error"]["retryable"]:
                    return False
            await wait()
        return False

    async def finish(self) -> None:
        """Wait until what is under way has ended."""
        while self._sending or self._working:
            await asyncio.wait({*self._sending, *self._working})


def _mail(content: Mapping[str, str]) -> bytes:
    marker = marker_in(content["text"])
    lines = [
        f"From: <{content['from']}>",
        f"To: <{content['to']}>",
        f"Subject: {content['title']}",
        f"Message-ID: <{marker}@customer.example>",
        "Date: Sun, 29 Nov 2026 10:00:00 +0000",
        "Content-Type: text/plain; charset=utf-8",
        "",
        content["text"],
    ]
    return "\r\n".join(lines).encode()
