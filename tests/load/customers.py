"""The customers: each comes through the door that her provider would use, and waits as long as people do."""

import asyncio
import contextlib
import random
from dataclasses import dataclass
from datetime import UTC, datetime

from deploy.story.errors import StepFailed
from deploy.story.file.model import DoorStep
from deploy.story.providers.chat_socket import Chats
from tests.faults.asking import wait
from tests.faults.shop import mail_body
from tests.load.day import Arrival
from tests.load.floor import Floor

MAIL, FORM, CHAT, PHONE, SOCIAL = (
    *("email/shop", "form/contact", "chat/shop", "twilio_voice/hotline", "messenger/page"),
)
REGISTERED = 2
"""The shop knows every other person, with telephone and address."""
HANGS_UP = 0.08
NEVER_CONNECTED = 0.04
"""What part of the callers hangs up while she waits, and of how many the line is lost before."""
PATIENCE_SECONDS = (3.0, 40.0)
TALK_SECONDS = 8.0
"""A day is an hour: what takes minutes takes seconds. The mean of a call, between a second and five times it."""
LOOKS_EVERY_SECONDS = 1.0
TOPICS = ("delivery", "other", "other")
TEXTS = (
    "where is my parcel ORD-{n}?",
    "the boots of ORD-{n} are too small, can I change them?",
    "I was sent ORD-{n} twice.",
    "do you have this in blue?",
    "my locker KRA{k}M does not open.",
)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, as the doors know her."""

    number: int

    @property
    def email(self) -> str:
        return f"p{self.number}@customer.example"

    @property
    def phone(self) -> str:
        return f"+4860{self.number:07d}"

    @property
    def registered(self) -> bool:
        return self.number % REGISTERED == 0


class Customers:
    """Everybody who comes. `untaken`: what no door took, however often it was sent."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._known: set[int] = set()
        self.untaken: list[str] = []

    async def comes(self, arrival: Arrival) -> None:
        """Come and go."""
        chance = random.Random(f"{self._floor.observed.seed}/{arrival.number}")
        person = Person(arrival.person)
        await self._register(person)
        match arrival.way:
            case "mail":
                await self._mails(arrival, person, chance)
            case "form":
                await self._fills_in(arrival, person, chance)
            case "social":
                await self._writes_by_messenger(arrival, person, chance)
            case "chat":
                await self._chats(arrival, person, chance)
            case "phone":
                await self._calls(arrival, person, chance)

    async def _register(self, person: Person) -> None:
        """The shop tells who she is when she comes for the first time."""
        if not person.registered or person.number in self._known:
            return
        self._known.add(person.number)
        handles = [
            {"kind": "phone", "value": person.phone, "verified": True},
            {"kind": "email", "value": person.email, "verified": True},
        ]
        await self._floor.does(
            "service:shop",
            "register_customer",
            name=f"Person {person.number}",
            external_id=str(person.number),
            handles=handles,
        )

    async def _delivers(self, account: str, content: object, marker: str = "") -> None:
        if not await self._floor.deliver(self._floor.delivery(account, content), marker):
            self.untaken.append(f"{account} {marker}")

    async def _mails(self, arrival: Arrival, person: Person, chance: random.Random) -> None:
        addresses = {"from": person.email, "to": "help@shop.example"}
        message_id = f"{arrival.marker}@customer.example"
        body = mail_body(addresses, "My order", message_id, _words(arrival, chance))
        await self._delivers(MAIL, body, arrival.marker)

    async def _fills_in(self, arrival: Arrival, person: Person, chance: random.Random) -> None:
        fields = {
            "submission_id": arrival.marker,
            "email": person.email,
            "topic": chance.choice(TOPICS),
            "message": _words(arrival, chance),
        }
        await self._delivers(FORM, fields, arrival.marker)

    async def _writes_by_messenger(
        self, arrival: Arrival, person: Person, chance: random.Random
    ) -> None:
        message = {"mid": f"m_{arrival.marker}", "text": _words(arrival, chance)}
        content = {
            "sender": {"id": str(90_000_000 + person.number)},
            "recipient": {"id": "700100"},
            "timestamp": int(datetime.now(UTC).timestamp() * 1_000),
            "message": message,
        }
        await self._delivers(SOCIAL, content, arrival.marker)

    # -- who waits --------------------------------------------------------------------------------

    async def _chats(self, arrival: Arrival, person: Person, chance: random.Random) -> None:
        """Write, wait on the page for an answer until patience ends, and leave."""
        door, key = self._floor.door(CHAT), self._floor.key(CHAT)
        hello = {"type": "hello", "name": f"Person {person.number}"}
        if person.registered:
            hello["email"] = person.email
        message = {"type": "message", "id": arrival.marker, "text": _words(arrival, chance)}
        step = DoorStep(door=CHAT, session=arrival.marker, body=[hello, message])
        chats, run = Chats(), str(self._floor.observed.seed)
        try:
            answer = await chats.send(step, door, key, run)
            if answer.refused:
                self.untaken.append(f"{CHAT} {arrival.marker}: {answer.code}")
                return
            self._floor.observed.acknowledged.setdefault(arrival.marker, datetime.now(UTC))
            async with asyncio.timeout(chance.uniform(*PATIENCE_SECONDS)):
                while not await chats.heard(arrival.marker):
                    await wait(LOOKS_EVERY_SECONDS)
        except StepFailed as error:
            self.untaken.append(f"{CHAT} {arrival.marker}: {error.code}")
        except TimeoutError:
            self._floor.left += 1
        finally:
            await chats.close()

    async def _calls(self, arrival: Arrival, person: Person, chance: random.Random) -> None:
        try:
            await self._call(arrival, person, chance)
        finally:
            self._floor.calls_over.add(arrival.marker)

    async def _call(self, arrival: Arrival, person: Person, chance: random.Random) -> None:
        """Ring, press a digit, wait until somebody takes the call or patience ends, and talk."""
        call = {
            "CallSid": f"CA-{arrival.marker}",
            "From": person.phone,
            "To": "+48123456789",
            "Direction": "inbound",
        }
        await self._delivers(PHONE, {**call, "CallStatus": "ringing"}, arrival.marker)
        if chance.random() < NEVER_CONNECTED:
            await self._delivers(PHONE, {**call, "CallStatus": "no-answer"})
            return
        await self._delivers(PHONE, {**call, "CallStatus": "in-progress", "Digits": "2"})
        shortest, longest = PATIENCE_SECONDS
        patience = chance.uniform(0.2, shortest) if chance.random() < HANGS_UP else longest
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while not self._floor.is_owned(arrival.marker):
                    await wait()
        if self._floor.is_owned(arrival.marker):
            await wait(lasts(chance, TALK_SECONDS))
        else:
            self._floor.left += 1
        await self._delivers(
            PHONE, {**call, "CallStatus": "completed", "CallDuration": str(chance.randint(5, 600))}
        )


def lasts(chance: random.Random, mean_seconds: float) -> float:
    """Return how long something takes: mostly shorter than its mean, now and then much longer, never without end."""
    return min(5 * mean_seconds, 1.0 + chance.expovariate(1.0 / mean_seconds))


def _words(arrival: Arrival, chance: random.Random) -> str:
    text = chance.choice(TEXTS)
    return f"{arrival.marker} {text.format(n=100_000 + arrival.person, k=arrival.person % 90 + 10)}"
