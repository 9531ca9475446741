"""A tenant's policy, whole."""

import hashlib
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from shared import events
from shared.automatic_words import AutomaticWords
from shared.calendars import ALWAYS, Calendar
from shared.feedback import Feedback
from shared.out_of_hours import OutOfHours
from shared.overload import Overload
from shared.policy.accounts import Account
from shared.policy.automatic import AutomaticRules
from shared.policy.external import ExternalNumber
from shared.policy.levels import DEFAULT, ServiceLevel, Wait, seconds_for
from shared.policy.lines import NextLine
from shared.policy.needs import Priority
from shared.policy.quality import Discontent, Disposition, Reviews
from shared.policy.team import Agent, Queue, Transports, WaitLimits
from shared.strict import Name, Seconds, Strict


class Pattern(Strict, frozen=True, kw_only=True):
    """Text that states a fact. The first group is the value, else the whole match. `joins`: it names a matter.

    `compare`: what of two values has to be the same for them to be one: the `text` but for blanks and letter case, its
    `characters` that are letters or digits, or its `digits` alone; `asks`: text of an agent that asks for the fact, in
    whatever case.
    """

    fact: Name
    pattern: str
    joins: bool = False
    compare: Literal["text", "characters", "digits"] = "text"
    asks: str | None = None


class Integration(Strict, frozen=True, kw_only=True):
    """Another program that uses the bus for this tenant, as itself. `commands`, `queries`: what it may give and ask."""

    commands: tuple[Name, ...] = ()
    queries: tuple[Name, ...] = ()


class TimeLimits(Strict, frozen=True, kw_only=True):
    """How long what may take, in seconds.

    `callback_seconds`: until when a lost call is called back, in opening hours; `callback_retry_seconds`: the same
    after each try that reached nobody, and after one try more the queue's supervisor is told; `wait_seconds`: for how
    long somebody may wait on the line, or in a chat, shortest first; each that passes is recorded, and after the last
    one the queue's supervisor is told; none: nobody counts.
    `promise_due_soon_seconds`: so long before the time of a promise whoever holds the matter is reminded of it.
    """

    offer_seconds: Seconds = 30.0
    transfer_seconds: Seconds = 120.0
    callback_seconds: Seconds = 900.0
    callback_retry_seconds: Annotated[tuple[Seconds, ...], Meta(min_length=1, max_length=16)] = (
        900.0,
        3_600.0,
    )
    join_within_seconds: Seconds = 259_200.0
    notification_seconds: Seconds = 120.0
    wait_seconds: WaitLimits = (46.0, 60.0, 120.0)
    promise_due_soon_seconds: Seconds = 900.0
    reopen_within_seconds: Seconds = 604_800.0


class Policy(Strict, frozen=True, kw_only=True):
    """All of it.

    `region`: ISO 3166 code of the country whose national phone numbers are read; without one only international ones
    are; `proof`: what a medium's own word is worth here, where it is not the default (see `shared.proof`);
    `named_matters`: media in which an order or parcel number leads into the one open conversation that holds it,
    whoever names it, unless the writer is known to be somebody else; `never_identifies`: patterns of handles, in their
    normal form, that belong to no single person; `transports`: how agents are told, where neither the agent nor the
    queue has its own. notify refuses to start with one that it does not have; `reply_secrets`: the keys that mark our
    mails, so that an answer proves that it is one, the newest first; `unmarked_replies`: whether an answer without a
    mark still leads whoever is in the matter there, or names a message that was sent from it; `lanes`: the lane in
    which a medium's contacts are decided, where it is not the usual one (see `shared.lanes`); `integrations`: other
    programs, by the name under which they use the bus (see `shared.callers`); `out_of_hours`: what a customer is told
    who writes while nobody is there; `wait_offer`: what whoever waits in a chat past the last limit is told, once in
    each wait: that she may leave, and how she is reached then; `calendars`: opening hours by name, and `calendar`:
    which of them holds where a queue names none; without one somebody is always there; `priority`: who is served
    before others; `service_levels`: how soon customers are answered, of each time the first that fits and names it;
    `[]`: nothing is measured; `labels`: those that a conversation may have, any where none is listed; `dispositions`:
    in which ways a contact may end, any where none is listed; `reviews`: which completed contacts are looked at;
    `feedback`: what a customer is asked after a contact, nothing without it; `discontent`: after what somebody looks at
    how a matter went, `null`: never; `rules`: what happens by itself on an event, in this order; `loop_after`: a
    transfer is refused to whom a matter was with so often already since she was answered last;
    `external`: whom agents may ask outside, by name.
    """

    tenant: Name
    region: str | None = None
    queues: dict[Name, Queue]
    agents: dict[Name, Agent]
    accounts: dict[str, Account]
    patterns: list[Pattern] = []
    proof: dict[events.Medium, events.Proof] = {}
    named_matters: tuple[events.Medium, ...] = ("mail", "message")
    never_identifies: list[str] = []
    transports: Transports = ("screen",)
    times: TimeLimits = TimeLimits()
    lookup_secret: str = "LOOKUP_KEY"
    reply_secrets: Annotated[tuple[str, ...], Meta(max_length=2)] = ()
    unmarked_replies: bool = True
    lanes: dict[events.Medium, events.Lane] = {}
    overload: Overload = Overload()
    out_of_hours: OutOfHours | None = None
    wait_offer: AutomaticWords | None = None
    integrations: dict[Name, Integration] = {}
    calendars: dict[Name, Calendar] = {}
    calendar: Name | None = None
    priority: Priority = Priority()
    service_levels: Annotated[tuple[ServiceLevel, ...], Meta(max_length=64)] = DEFAULT
    labels: tuple[Name, ...] = ()
    dispositions: dict[Name, Disposition] = {}
    reviews: Reviews | None = None
    feedback: Feedback | None = None
    discontent: Discontent | None = Discontent()
    rules: AutomaticRules = ()
    loop_after: Annotated[int, Meta(ge=1, le=100)] = 2
    external: dict[Name, ExternalNumber] = {}

    @property
    def version(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of the policy's canonical form."""
        canonical = msgspec.json.encode(self, order="deterministic")
        return hashlib.sha256(canonical).hexdigest()[:16]

    def account(self, channel: str, account: str) -> Account | None:
        return self.accounts.get(f"{channel}/{account}")

    def hours(self, queue: str | None, medium: events.Medium | None = None) -> Calendar:
        """Return when somebody of a queue is there for a medium; of an unknown queue the tenant's hours."""
        return self.calendars.get(self.calendar_of(queue, medium) or "", ALWAYS)

    def calendar_of(self, queue: str | None, medium: events.Medium | None = None) -> str | None:
        """Return by which name `calendars` has these hours; `None` where somebody is always there."""
        of_queue = self.queues.get(queue or "")
        own = of_queue and ((medium and of_queue.calendars.get(medium)) or of_queue.calendar)
        return own or self.calendar

    def service_level(self, wait: Wait) -> tuple[ServiceLevel, float] | None:
        """Return the first service level that fits and names a time for a wait, with its seconds; `None`: none."""
        for level in self.service_levels:
            seconds = seconds_for(level, wait)
            if seconds is not None:
                return level, seconds
        return None

    def wait_limits(self, queue: str) -> WaitLimits:
        """Return for how long somebody may wait live in a queue, in seconds, shortest first."""
        known = self.queues.get(queue)
        own = None if known is None else known.wait_seconds
        return self.times.wait_seconds if own is None else own

    def lines_after(self, queue: str) -> list[NextLine]:
        """Return the lines after a queue, in their order; each once, and [] for one without."""
        found: list[NextLine] = []
        while (known := self.queues.get(queue)) is not None:
            line = known.next_line
            if line is None or line in found:
                break
            found.append(line)
            queue = line.queue
        return found

    def agents_of_queue(self, queue: str) -> list[str]:
        """Return the agents who are offered contacts of a queue, by id."""
        return sorted(name for name, agent in self.agents.items() if queue in agent.queues)

    def agents_of_team(self, team: str) -> list[str]:
        return sorted(name for name, agent in self.agents.items() if team in agent.teams)

    def teams(self) -> set[str]:
        return {team for agent in self.agents.values() for team in agent.teams}

    def teams_at(self, queue: str | None, owner: str | None) -> set[str]:
        """Return the teams of an owner; without one those with agents in a queue."""
        there = [owner] if owner is not None else self.agents_of_queue(queue or "")
        return {team for name in there if name in self.agents for team in self.agents[name].teams}
