"""The customers of the simulated shop: they call and write, wait, hang up, write again and come back."""

from collections.abc import Mapping

from shared import calendars, events, handles
from shared.events.packet import Visit
from tests.load.day import Arrival
from tests.router import samples
from tests.simulation.clockwork import Clockwork, Deed
from tests.simulation.shop import SHOP, Habits

CHANNELS: Mapping[str, str] = {"chat": "chat", "mail": "email", "social": "dove"}
TONGUES = ("pl", "pl", "pl", "en", "de", None)


class Customers:
    """`came`: the contact of each arrival; `who`: the person of each contact; `registered`: customers by person."""

    def __init__(self, work: Clockwork, habits: Habits) -> None:
        self._work, self._habits = work, habits
        self.came: dict[str, Arrival] = {}
        self.who: dict[str, int] = {}
        self.registered: dict[int, str] = {}
        self._known = set[int]()
        self._registering = 0
        self._taken = set[str]()
        self._said: dict[str, tuple[Arrival, str, int]] = {}
        self._thread: dict[str, str] = {}
        work.reacts.append(self._react)

    def comes(self, arrival: Arrival) -> Deed:
        """Return how somebody comes."""

        async def comes() -> None:
            self._work.done[arrival.way] += 1
            await self._before_she_comes(arrival.person)
            if arrival.way == "phone":
                await self._calls(arrival)
            else:
                await self._writes(arrival, self._session(arrival), 0)

        return comes

    def _react(self, event: events.AnyEvent) -> None:
        if isinstance(event, events.ContactAccepted):
            self._taken.add(event.open.contact_id)
        elif isinstance(event, events.CustomerCreated) and event.actor == "service:shop":
            self.registered[self._registering] = event.customer or ""
        elif isinstance(event, events.MessageReceived):
            self._thread[event.conversation or ""] = event.open.contact_id
        elif isinstance(event, events.MessageRequested) and event.open.agent is not None:
            self._is_answered(self._thread.get(event.conversation or ""))

    def _is_answered(self, contact_id: str | None) -> None:
        """Whoever wrote may have something to say to her answer."""
        said = self._said.get(contact_id or "")
        if said is not None and self._work.chance.random() < self._habits.replies:
            self._work.later(self._habits.writing, self._goes_on(*said))

    async def _before_she_comes(self, person: int) -> None:
        """The shop knows some of its customers, and what lies in their carts."""
        work, habits = self._work, self._habits
        if person % habits.has_a_cart == 0:
            seen = Visit(
                began=work.now,
                ended=work.now,
                pages=[],
                cart=["Floor lamp"],
                campaign=[],
                did=[],
                known_by="email",
                proof="delivered",
            )
            work.router.visits.found[_mail(person)] = seen
        if person % habits.registered or person in self._known:
            return
        self._known.add(person)
        self._registering = person
        known = [("email", _mail(person)), ("phone", _phone(person))]
        await work.gives(
            "service:shop",
            "register_customer",
            name=f"Person {person}",
            handles=[{"kind": kind, "value": each, "verified": True} for kind, each in known],
            language=TONGUES[person % len(TONGUES)],
            vip=person % habits.vip == 0,
        )

    # -- by voice -----------------------------------------------------------------------------------------

    async def _calls(self, arrival: Arrival) -> None:
        work, name = self._work, self._work.name("CA")
        withheld = work.chance.random() < self._habits.withheld
        who = [] if withheld else [samples.phone(_phone(arrival.person))]
        self._note(arrival, "twilio_voice", name)
        if work.chance.random() < self._habits.missed:
            await self._tells("missed", name, who)
            return
        await self._tells("started", name, who)
        if not self._is_open() and work.chance.random() < self._habits.leaves_a_voicemail:
            await self._tells("voicemail", name, who, k=3)
            return
        digits = work.chance.choice(["1", "2", "2", None])
        if digits is not None:
            await self._tells("menu", name, who, k=1, digits=digits)
        work.later(self._habits.patience, self._hangs_up(name, who, unless_taken=True))

    def _hangs_up(self, name: str, who: list[events.Handle], *, unless_taken: bool) -> Deed:
        async def hangs_up() -> None:
            if unless_taken and samples.contact("twilio_voice", name) in self._taken:
                talk = self._hangs_up(name, who, unless_taken=False)
                self._work.later(self._habits.speaking, talk)
            else:
                await self._tells("ended", name, who, k=2)

        return hangs_up

    async def _tells(
        self, kind: str, name: str, who: list[events.Handle], k: int = 0, digits: str = "1"
    ) -> None:
        words = "please call me" if kind == "voicemail" else ""
        event = samples.call(
            kind, name, handles=who, at=self._work.now, k=k, digits=digits, words=words
        )
        await self._work.reports(event, self._habits.told_twice)

    def _is_open(self) -> bool:
        return calendars.is_open(self._work.router.policy.calendars[SHOP], self._work.now)

    # -- in writing ---------------------------------------------------------------------------------------

    def _session(self, arrival: Arrival) -> str:
        """Return what her message belongs to: a thread is hers for ever, a chat is one visit, a mail is alone."""
        thread = arrival.way == "social"
        return f"thread{arrival.person}" if thread else self._work.name("m")

    async def _writes(self, arrival: Arrival, session: str, k: int) -> None:
        work, channel = self._work, CHANNELS[arrival.way]
        self._note(arrival, channel, session)
        message = samples.message(
            self._words(arrival, k),
            session,
            channel=channel,
            k=work.number(),
            handles=self._handles(arrival),
            at=work.now,
        )
        await work.reports(message, self._habits.told_twice)
        self._said[samples.contact(channel, session)] = arrival, session, k
        if work.chance.random() < self._habits.writes_again:
            work.later(self._habits.writing, self._goes_on(arrival, session, k))

    def _goes_on(self, arrival: Arrival, session: str, k: int) -> Deed:
        """Return how she writes once more: where she wrote, and a mail of its own."""
        following = self._work.name("m") if arrival.way == "mail" else session

        async def goes_on() -> None:
            await self._writes(arrival, following, k + 1)

        return goes_on

    def _handles(self, arrival: Arrival) -> list[events.Handle]:
        """Return by what she is known: in a chat by her page, and some only say who they are."""
        person = arrival.person
        if arrival.way == "social":
            return [handles.account("dove", str(person))]
        if arrival.way == "mail":
            return [samples.mail(_mail(person))]
        page, claimed = handles.account("chat", f"page{person}"), person % 2 == 0
        return [page, *([samples.mail(_mail(person), "claimed")] if claimed else [])]

    def _words(self, arrival: Arrival, k: int) -> str:
        """What she says: of some the number of her parcel, each time in another spelling."""
        if arrival.person % 3 == 0:
            return "A question"
        number = f"52{arrival.person:022}"
        apart = " ".join((number[:2], number[2:10], number[10:]))
        return f"Where is it? {apart if k % 2 else number}"

    def _note(self, arrival: Arrival, channel: str, name: str) -> None:
        contact_id = samples.contact(channel, name)
        self.who[contact_id] = arrival.person
        self.came.setdefault(contact_id, arrival)


def _mail(person: int) -> str:
    return f"p{person}@customer.example"


def _phone(person: int) -> str:
    return f"+4860{person:07}"
