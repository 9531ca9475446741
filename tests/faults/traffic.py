"""A small shop's day: customers write, deliveries are repeated, agents take what they are offered and answer."""

import asyncio
import contextlib
import itertools
import random
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from deploy.embedded.stack import EmbeddedStack
from deploy.story.providers import doors
from deploy.story.providers.mail_sink import MailSink
from services.router.tolerant_codec import TolerantCodec
from shared import errors
from shared.bus import Bus
from shared.events import AnyEvent
from shared.ledger import Recorded
from shared.ledger.jetstream import NatsLedger
from tests.faults.asking import ask, wait
from tests.faults.observed import Observed
from tests.faults.shop import Shop, mail_body

EVERY_SECONDS = 0.25
WAITING_MAX = 4
RARELY_SECONDS = 1.0
"""While so many customers wait for an answer new ones come rarely: what takes long is the fault's doing, not theirs."""
POLL_SECONDS = 0.02
REPEATED = 0.3
MAILS = 0.3
KEPT_OPEN = 0.1
KEPT_OPEN_MAX = 60
"""Fewer than an agent has slots: nobody waits because all are taken."""
AGENTS = ("piotr", "ewa", "marek")
Until = Literal["decided", "answered", "shown"]
"""What has become of a delivery: it stands in the ledger; an agent's answer has arrived; history shows it."""
_MARKER = re.compile(r"\bm\d+x\b")


def marker_in(text: str) -> str:
    """Return the marker of the delivery that a text came with."""
    found = _MARKER.search(text)
    return found[0] if found else ""


class Traffic(Shop):
    """Customers and agents. `decided`: markers that stand in the ledger and where."""

    def __init__(
        self,
        stack: EmbeddedStack,
        bus: Bus,
        observed: Observed,
        secrets: Mapping[str, str],
        sink: MailSink,
    ) -> None:
        super().__init__(stack, bus, observed, secrets)
        self._sink = sink
        self._random = random.Random(observed.seed)
        self._numbers = itertools.count(1)
        self._working: set[asyncio.Task[None]] = set()
        self._sending: set[asyncio.Task[None]] = set()
        self._mailed: set[str] = set()
        self._made: dict[str, doors.Delivery] = {}
        self._worked = 0
        self._counting = True
        self._closed = False
        self._kept_open = 0
        self._waiting = 0
        self.decided: dict[str, int] = {}

    # -- customers ----------------------------------------------------------------------------------

    async def customers(self) -> None:
        """Somebody new writes every EVERY_SECONDS, or RARELY_SECONDS while many wait, until cancelled."""
        last = 0.0
        while True:
            waiting = max(self._waiting, len(self._working))
            rarely = time.monotonic() - last > RARELY_SECONDS
            if (waiting < WAITING_MAX or rarely) and not self._closed:
                last = time.monotonic()
                task = asyncio.create_task(self.somebody_writes())
                self._sending.add(task)
                task.add_done_callback(self._sending.discard)
            await wait(EVERY_SECONDS)

    async def somebody_writes(self) -> None:
        """Deliver until the door takes it, some of it twice."""
        marker = self._new_delivery(by_mail=self._random.random() < MAILS)
        await self.deliver(self._made[marker], marker)
        if self._random.random() < REPEATED:
            await self.deliver(self._made[marker], marker)

    async def until(self, wanted: Until, within_seconds: float) -> float | None:
        """Return how long it takes until a new delivery, and all that was taken before, is as `wanted`.

        `None`: longer than `within_seconds`.
        """
        began = time.monotonic()
        marker = self._new_delivery(by_mail=wanted == "answered")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_seconds):
                await self.deliver(self._made[marker], marker)
                await self.until_decided({*self.observed.acknowledged, marker})
                if wanted == "answered":
                    await self._until_answered(marker)
                if wanted == "shown":
                    await ask(self.bus, "position", min_seq=self.decided[marker])
                return time.monotonic() - began
        return None

    async def until_decided(self, markers: set[str]) -> None:
        while not markers <= self.decided.keys():  # noqa: ASYNC110  the condition is a server's
            await asyncio.sleep(POLL_SECONDS)

    async def _until_answered(self, marker: str) -> None:
        while not any(_address(marker) in mail.to for mail in self._sink.mails):  # noqa: ASYNC110  as above
            await asyncio.sleep(POLL_SECONDS)

    async def everything_again(self) -> None:
        """Providers deliver once more whatever they had delivered."""
        for marker in list(self.observed.acknowledged):
            await self.deliver(self._made[marker], marker)

    def _new_delivery(self, *, by_mail: bool) -> str:
        """Make a delivery and return its marker."""
        marker = f"m{next(self._numbers)}x"
        self._waiting += 1
        account = "email/shop" if by_mail else "form/contact"
        text = f"{marker} where is ORD-1{marker[1:-1]:0>4}?"
        if by_mail:
            addresses = {"from": _address(marker), "to": "help@shop.example"}
            body: object = mail_body(addresses, "Parcel", _address(marker), text)
        else:
            body = {"submission_id": marker, "email": _address(marker), "message": text}
        self._made[marker] = self.delivery(account, body)
        return marker

    # -- agents ---------------------------------------------------------------------------------------

    async def count(self) -> None:
        """Ask where the ledger ends, again and again; until cancelled."""
        ledger = NatsLedger(self.bus, TolerantCodec())
        while True:
            with contextlib.suppress(errors.TellonceError):
                end = await ledger.position()
                if self._counting:
                    self.observed.ends.append(end)
            await wait()

    @contextlib.contextmanager
    def not_counting(self) -> Iterator[None]:
        """What a ledger that an operator has put in the place of ours says of its end is not ours."""
        self._counting = False
        try:
            yield
        finally:
            self._counting = True

    @contextlib.contextmanager
    def closed(self) -> Iterator[None]:
        """The shop is closed: nobody new writes, nor counts, while an operator works at the ledger for long."""
        self._closed = True
        try:
            with self.not_counting():
                yield
        finally:
            self._closed = False

    def begin_again(self, position: int) -> None:
        """Read the ledger from its beginning: an operator has adopted another one, of which agents know up to here."""
        self.observed.forget_answers()
        self.decided.clear()
        self.reached, self._worked = 0, position

    def _see(self, recorded: Recorded) -> None:
        event = recorded.event
        personal: Any = getattr(event, "personal", None)
        marker = marker_in(getattr(personal, "text", "") or "")
        if marker and event.type in {"form.submitted", "message.received"}:
            self.decided[marker] = recorded.sequence
            if event.type == "message.received" and event.conversation is not None:
                self._mailed.add(event.conversation)
        if event.type == "contact.offered" and recorded.sequence > self._worked:
            task = asyncio.create_task(self._work(event))
            self._working.add(task)
            task.add_done_callback(self._worked_on)

    def _worked_on(self, task: asyncio.Task[None]) -> None:
        self._working.discard(task)
        self._waiting = max(0, self._waiting - 1)

    async def _work(self, offered: AnyEvent) -> None:
        """Take what was offered, answer it if it was a mail, and end it most of the time."""
        opened: Any = offered.open
        about = {"conversation": offered.conversation}
        if not await self.does(opened.agent, "accept_offer", offer_id=opened.offer_id, **about):
            return
        if offered.conversation in self._mailed:
            text = f"Your parcel is on its way. {offered.conversation}"
            await self.does(opened.agent, "send_message", channel="email", text=text, **about)
        if self._kept_open < KEPT_OPEN_MAX and self._random.random() < KEPT_OPEN:
            self._kept_open += 1
            return
        done = {"disposition": "solved", "summary": "It is on its way."}
        if await self.does(opened.agent, "wrap_up", **done, **about):
            await self.does(opened.agent, "resolve", **about)

    async def finish(self) -> None:
        """Wait until what is under way has ended."""
        while self._sending or self._working:
            await asyncio.wait({*self._sending, *self._working})


def _address(marker: str) -> str:
    return f"{marker}@customer.example"
