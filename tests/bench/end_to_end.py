"""From a signed webhook to the offer on an agent's desk, against the sum of the parts that must happen in between."""

import asyncio
import statistics
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import msgspec
import yaml
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from deploy.embedded.stack import EmbeddedStack, Plan
from deploy.rights import KEEPER
from services.ingest.domain.delivery import WebRequest
from services.ingest.handlers.body_store import BodyStore
from services.ingest.handlers.raw_store import RawStore
from shared import aggregates, contact_log, secret_values, settings, streams, subjects
from shared.arming import NatsTimers
from shared.bus import Bus
from shared.bus.deliveries import Message
from shared.codec import PlainCodec, decode
from shared.events import AnyEvent
from shared.ledger import Recorded, Write
from shared.ledger.jetstream import NatsLedger
from shared.streams import LEDGER
from shared.timers import OFFER_EXPIRY, Timer
from tests.bench import asking
from tests.bench.figures import Pace, Ratios, timed
from tests.bench.place import (
    Beside,
    beside,
    copied,
    driver_on,
    make_streams_beside,
    read_json,
    stack_told,
)

ROUNDS = 8
CALLS_PER_ROUND = 5
SLOTS = 100
OFFER_SECONDS = 3_600
WITHIN_SECONDS = 10.0
TENANT, CHANNEL, ACCOUNT = "demo", "twilio_voice", "hotline"


@dataclass
class Delays:
    """Seconds: of whole calls, and of each part by name. `ran_on`: what the servers said of themselves."""

    whole: list[list[float]] = field(default_factory=list)
    parts: dict[str, list[list[float]]] = field(default_factory=dict)
    ran_on: str = ""

    def lines(self) -> list[str]:
        """Return the ratio per round as min, median, max; then the median of every part."""
        sums = [
            sum(statistics.median(rounds[number]) for rounds in self.parts.values())
            for number in range(len(self.whole))
        ]
        wholes = [statistics.median(each) for each in self.whole]
        ratios = sorted(a / b for a, b in zip(wholes, sums, strict=True))
        what = "webhook to offer / sum of its parts"
        whole, parts = (statistics.median(each) * 1_000 for each in (wholes, sums))
        first = (
            f"{what:<44} {ratios[0]:6.2f} {statistics.median(ratios):7.2f} {ratios[-1]:7.2f}   "
            f"{whole:8.3f} ms {parts:8.3f} ms   {len(ratios)} x {len(self.whole[0])}"
        )
        shown = [first]
        for name, rounds in self.parts.items():
            every = [seconds for each in rounds for seconds in each]
            shown.append(f"    {name:<65} {statistics.median(every) * 1_000:8.3f} ms")
        return shown


class Calls:
    """Calls the hotline as the provider does, and sees when an agent is asked."""

    def __init__(self, door: str, secret: str, seed: int) -> None:
        self._url = f"{door}/in/{TENANT}/{CHANNEL}/{ACCOUNT}"
        self._secret = secret
        self._number = seed * 10_000
        self._http = httpx.AsyncClient(trust_env=False)
        self._offered: dict[str, asyncio.Event] = {}
        self._rang: dict[str, str] = {}
        self.conversations: list[str] = []

    def fields(self) -> dict[str, str]:
        """Return the parameters of a call by somebody new."""
        self._number += 1
        return {
            "CallSid": f"CA{uuid4().hex}",
            "AccountSid": "AC00000000000000000000000000000001",
            "From": f"+4860{self._number % 10**7:07d}",
            "To": "+48123456789",
            "Direction": "inbound",
            "ApiVersion": "2010-04-01",
            "CallStatus": "ringing",
        }

    async def post(self, fields: dict[str, str], *, signed: bool = True) -> int:
        """Deliver the webhook; the status."""
        signature = RequestValidator(self._secret if signed else "?").compute_signature(
            self._url, fields
        )
        answer = await self._http.post(
            self._url, data=fields, headers={"X-Twilio-Signature": signature}
        )
        return answer.status_code

    async def saw(self, message: Message) -> None:
        """Take what the server repeats of the ledger."""
        event = read_json(message)
        conversation = event.get("conversation", "")
        if event["type"] == "call.started":
            self._rang[conversation] = event["data"]["open"]["provider_id"]
        elif event["type"] == "contact.offered" and conversation in self._rang:
            waiting = self._offered.get(self._rang[conversation])
            if waiting is not None:
                self.conversations.append(conversation)
                waiting.set()

    async def until_offered(self) -> None:
        """Call and wait until the offer is in the ledger."""
        fields = self.fields()
        offered = self._offered[fields["CallSid"]] = asyncio.Event()
        await self.post(fields)
        async with asyncio.timeout(WITHIN_SECONDS):
            await offered.wait()

    async def refused(self) -> None:
        """The door's own work without storing: read, find the account, verify, answer."""
        await self.post(self.fields(), signed=False)

    async def close(self) -> None:
        await self._http.aclose()


class Parts:
    """What must happen between webhook and offer, one at a time, on streams of the same settings."""

    def __init__(self, bus: Bus, other: Bus, sample: Sequence[Recorded], calls: Calls) -> None:
        self._bus = bus
        self._other = other
        self._calls = calls
        self._raw = RawStore(other, BodyStore(other), settings.Settings().header_max_bytes)
        self._timers = NatsTimers(other)
        self._real = NatsLedger(bus, PlainCodec())
        self._ledger = NatsLedger(other, PlainCodec(), stream=beside(LEDGER))
        self._number = 0
        first = next(i for i, each in enumerate(sample) if each.event.type == "context.packaged")
        self._opening, self._offering = sample[:first], sample[first:]

    def all(self) -> dict[str, Callable[[], Awaitable[object]]]:
        opening, offering = len(self._opening), len(self._offering)
        return {
            "the door without storing (a wrong signature)": self._calls.refused,
            "store in RAW": self.store_raw,
            "store in CONTACTS": self.store_contact,
            f"ledger: opening, {opening} events in one batch": self.open,
            "arm the offer's timer": self.arm,
            f"ledger: packet, offer, reservation, {offering} events in one batch": self.offer,
        }

    async def store_raw(self) -> None:
        body = httpx.Request("POST", "http://door", data=self._calls.fields()).read()
        headers = [("content-type", "application/x-www-form-urlencoded")]
        request = WebRequest(
            "POST", f"/in/{TENANT}/{CHANNEL}/{ACCOUNT}", headers, body, datetime.now(UTC)
        )
        await self._raw.append(TENANT, CHANNEL, ACCOUNT, request)

    async def store_contact(self) -> None:
        self._number += 1
        body = copied(self._opening[0].body, self._number)
        event_id = uuid4().hex
        subject = subjects.contact(
            TENANT, CHANNEL, str(self._number), event_id, streams.contact_partitions("live")
        )
        await self._other.store_many([(subject, body, event_id)], headers=contact_log.NOTHING_THERE)

    async def arm(self) -> None:
        at = datetime.now(UTC) + timedelta(seconds=OFFER_SECONDS)
        aggregate = aggregates.CONVERSATION.of(uuid4().hex)
        kind = OFFER_EXPIRY.name
        await self._timers.arm(Timer(tenant=TENANT, aggregate=aggregate, kind=kind, id="x", due=at))

    async def open(self) -> None:
        await self._append(self._opening)

    async def offer(self) -> None:
        await self._append(self._offering)

    async def _append(self, batch: Sequence[Recorded]) -> None:
        """Append the same events for somebody else; an agent's aggregate is a new one too."""
        self._number += 1
        by_aggregate: dict[str, list[AnyEvent]] = {}
        for recorded in batch:
            event = decode(copied(recorded.body, self._number))
            by_aggregate.setdefault(event.aggregate, []).append(event)
        writes = [
            Write(_unused(aggregate, self._number), 0, events)
            for aggregate, events in by_aggregate.items()
        ]
        await self._ledger.append(TENANT, writes)


def _unused(aggregate: str, number: int) -> str:
    return f"{aggregate}-{number}" if aggregate.startswith("agent-") else aggregate


async def measure(folder: Path, seed: int) -> tuple[Delays, list[Ratios], list[Recorded]]:
    """Return the delays, the comparisons of queries, and all events that the calls left in the ledger."""
    policy = yaml.safe_load(Path(settings.Settings().policy).read_text("utf-8"))
    policy["agents"]["piotr"]["slots"] = SLOTS
    policy["times"] |= {"offer_seconds": OFFER_SECONDS, "notification_seconds": OFFER_SECONDS}
    path = folder / "policy.yaml"
    path.write_text(yaml.safe_dump(policy), "utf-8")
    plan = Plan(
        folder=folder / "stack", environment={"TELLONCE_POLICY": str(path)}, users=(KEEPER,)
    )
    secret = secret_values.load_secrets(settings.Settings())["TWILIO_AUTH_TOKEN"]
    async with AsyncExitStack() as held:
        stack = await held.enter_async_context(EmbeddedStack(plan))
        client = await driver_on(stack)
        held.push_async_callback(client.close)
        bus, other = Bus.of(client), Beside.of(client)
        await make_streams_beside(bus)
        calls = Calls(stack.addresses["ingest"], secret, seed)
        held.push_async_callback(calls.close)
        await bus.subscribe(f"live.ledger.*.{TENANT}.>", calls.saw)
        await _sign_in(bus)
        await calls.until_offered()
        ledger = NatsLedger(bus, PlainCodec())
        sample = await _batch_events(ledger, calls.conversations[0])
        delays = await _rounds(calls, Parts(bus, other, sample, calls))
        delays.ran_on = await stack_told(stack)
        return delays, await asking.compare(stack), await _everything(ledger)


async def _rounds(calls: Calls, parts: Parts) -> Delays:
    """Measure calls and parts in alternating rounds."""
    found = Delays(parts={name: [] for name in parts.all()})
    pace = Pace()
    for number in range(ROUNDS):
        if pace.spent(number):
            break

        async def whole() -> None:
            found.whole.append([await timed(calls.until_offered()) for _ in range(CALLS_PER_ROUND)])

        async def each() -> None:
            for name, part in parts.all().items():
                found.parts[name].append([await timed(part()) for _ in range(CALLS_PER_ROUND)])

        for side in (whole, each) if number % 2 else (each, whole):
            await side()
    return found


async def _sign_in(bus: Bus) -> None:
    command = {
        "command_id": uuid4().hex,
        "issued_at": datetime.now(UTC).isoformat(),
        "actor": "agent:piotr",
    }
    await bus.request(subjects.command(TENANT, "sign_in"), msgspec.json.encode(command))


async def _batch_events(ledger: NatsLedger, conversation: str) -> list[Recorded]:
    """Return the two batches that a new call leaves: opening and offer, in the ledger's order."""
    every = await _everything(ledger)
    mine = [
        each
        for each in every
        if each.event.conversation == conversation and not each.aggregate.startswith("notif-")
    ]
    first, last = mine[0].sequence, mine[-1].sequence
    return [
        each
        for each in every
        if first <= each.sequence <= last and not each.aggregate.startswith("notif-")
    ]


async def _everything(ledger: NatsLedger) -> list[Recorded]:
    end = await ledger.position()
    found: list[Recorded] = []
    async for batch in ledger.follow(0):
        found += batch
        if found[-1].sequence >= end:
            break
    return found
