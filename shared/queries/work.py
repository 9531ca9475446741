"""Queries about work: waiting conversations, callbacks and promises owed, overlooked requests."""

from datetime import datetime
from typing import Literal

import msgspec

from shared import events
from shared.queries.base import Answer, ListAnswer, ListQuestion, Name, Question


class InboxLine(msgspec.Struct, frozen=True, kw_only=True):
    """`offer_id` (and `transfer_id` of a colleague's transfer): ids to accept; `expires`: of the offer or transfer."""

    conversation: str
    customer: str | None
    status: str
    owner: str | None
    queue: str | None
    contact_id: str | None
    channel: str | None
    waiting_since: datetime | None
    offer_id: str | None
    agent: str | None
    transfer_id: str | None
    packet_id: str | None
    expires: datetime | None


class InboxCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many there are in all, on whatever page."""

    offered: int
    waiting: int
    owned: int


class Inbox(Answer, frozen=True, kw_only=True):
    """`offered`: somebody is asked; `waiting`: nobody is asked yet; `owned`: taken.

    `next`: the `after` of the next page, which goes on with each list that is not at its end. When all are, what has
    changed since the first page comes again as it stands by then: whoever reads until it is `None` is shown every
    conversation that was there all the while, in whichever list, and some of them more than once.
    """

    offered: list[InboxLine]
    waiting: list[InboxLine]
    owned: list[InboxLine]
    counts: InboxCounts
    next: str | None


class AskInbox(ListQuestion[Inbox], frozen=True, kw_only=True):
    """The work before an agent, a queue, or the whole tenant. At most one of `agent`, `queue`.

    `after`: the `next` of the page before; `limit`: lines of each list at most.
    """

    name = "inbox"
    agent: Name | None = None
    queue: Name | None = None

    def __post_init__(self) -> None:
        if self.agent is not None and self.queue is not None:
            raise ValueError("at most one of agent, queue")


class WorkLine(msgspec.Struct, frozen=True, kw_only=True):
    """`queue`: where it waits, `came_in`: where it waited first; `snoozed_until`: when it comes back; `resolved`: when
    it was closed.
    """

    conversation: str
    customer: str | None
    status: str
    owner: str | None
    queue: str | None
    came_in: str | None
    channel: str | None
    labels: list[str]
    opened: datetime | None
    last_activity: datetime | None
    waiting_since: datetime | None
    snoozed_until: datetime | None
    resolved: datetime | None


class WorkList(ListAnswer, frozen=True, kw_only=True):
    """Of what is hers the longest without news comes first, of what waits the longest wait.

    Of what is put aside it is the next to come back, of what is done the latest.
    """

    work: list[WorkLine]


class AskWorkList(ListQuestion[WorkList], frozen=True, kw_only=True):
    """An agent's work that stands in one way: she has it in hand (`mine`), it waits in her queues (`waiting`), she has
    put it aside (`snoozed`), or resolved it (`done`).

    `label`: only what has it; `queue`: only what waits there, or waited there first.
    """

    name = "work_list"
    agent: Name
    state: Literal["mine", "waiting", "snoozed", "done"]
    label: Name | None = None
    queue: Name | None = None


class CallbackLine(msgspec.Struct, frozen=True, kw_only=True):
    """`reason`: how the contact was lost; `outcome`: of the last try, `None` before the first."""

    callback_id: str
    conversation: str
    customer: str | None
    contact_id: str
    queue: str
    due: datetime
    reason: str
    attempts: int
    status: str
    outcome: str | None = None


class Callbacks(ListAnswer, frozen=True, kw_only=True):
    """The most urgent first."""

    callbacks: list[CallbackLine]


class AskCallbacks(ListQuestion[Callbacks], frozen=True, kw_only=True):
    """Who is owed a call."""

    name = "callbacks"
    queue: Name | None = None
    status: Literal["open", "reached", "closed"] | None = None


class PromiseLine(msgspec.Struct, frozen=True, kw_only=True):
    """`agent`: whose it is; `due`: the time that holds; `first_due`: what was promised at first, where that is another.

    `status`: `open`, `kept`, `withdrawn` or `broken`; `missed`: a time of it passed in vain; `moved`: how often it got
    another one; `queue`: to which its matter belonged when it was made, `None` where that was not noted.
    """

    promise_id: str
    conversation: str
    customer: str | None
    agent: str
    text: str
    made: datetime
    due: datetime
    kept: datetime | None
    status: str
    queue: str | None = None
    first_due: datetime | None = None
    moved: int = 0
    missed: bool = False


class Promises(ListAnswer, frozen=True, kw_only=True):
    """The most urgent first."""

    promises: list[PromiseLine]


class AskPromises(ListQuestion[Promises], frozen=True, kw_only=True):
    """What was promised."""

    name = "promises"
    agent: Name | None = None
    queue: Name | None = None
    status: Literal["open", "kept", "withdrawn", "broken"] | None = None


class PromiseRateLine(msgspec.Struct, frozen=True, kw_only=True):
    """`name`: of the agent or queue, `None` where a promise was made before its queue was noted.

    `kept`: in time; `late`: kept, but a time of it had passed in vain; `broken`: its time is over and it is not kept,
    given up or not; `rate`: kept / (kept + late + broken), rounded to four places, `None` where none was due.
    """

    name: str | None
    kept: int
    late: int
    broken: int
    rate: float | None


class PromiseRates(Answer, frozen=True, kw_only=True):
    """`all`: of the tenant; `agents`, `queues`: of each that had a promise due, by name."""

    all: PromiseRateLine
    agents: list[PromiseRateLine]
    queues: list[PromiseRateLine]


class AskPromiseRates(Question[PromiseRates], frozen=True, kw_only=True):
    """How many promises were kept in time, of those that were due from `since` until before `until`, now unless given.

    By the time that was agreed last. One that got it after the old one had passed is late at best; one that was
    withdrawn before its time was over counts in nothing. It is whose it was when it was missed, else whose it is now.
    """

    name = "promise_rates"
    since: events.Instant | None = None
    until: events.Instant | None = None


class OverlookedLine(msgspec.Struct, frozen=True, kw_only=True):
    """`kind`: `waiting` (in a queue), `owned` (a contact that joined its owner's conversation, a transfer that came
    back to her, what she had put aside and is back, or what was written on while she makes a pause; `queue` is null),
    `callback` (a call that is owed), `overdue` (a promise, an owed call, an answer or the end of a matter whose time is
    over, a wait past its last limit), `due_soon` (the same whose time is nearly over), `broken` (a promise that was
    given up after it), `rule` (a rule of the policy wants somebody to look), `low_feedback` (a customer says that
    it was not good), `discontent` (too much went wrong in a matter), `failed` (a message that did not reach the
    customer), `uncertain` (one of which nobody knows whether it did) or `lost` (a call without a callback); `id`: of
    the ledger event.

    `state`: of its notification: `none`, `requested`, `sent`, or `escalated` to somebody who is not there.
    """

    id: str
    sequence: int
    conversation: str
    contact_id: str | None
    kind: str
    queue: str | None
    asked: datetime
    notification_id: str | None
    state: str
    escalates: datetime | None


class Overlooked(ListAnswer, frozen=True, kw_only=True):
    """The longest overlooked first.

    `count`: of how many matters, each once whatever asks for attention in it, and of what is parked; `parked`: of the
    latter alone, see the query `parked`.
    """

    requests: list[OverlookedLine]
    parked: int = 0


class AskOverlooked(ListQuestion[Overlooked], frozen=True, kw_only=True):
    """Requests that nobody has acknowledged, and that were not escalated to somebody who is available now."""

    name = "overlooked"


class AnnouncementLine(msgspec.Struct, frozen=True, kw_only=True):
    """`about`: words of the matters that it concerns, none: of all; `by`: who said it."""

    announcement_id: str
    kind: str
    text: str
    codes: list[str]
    about: list[str]
    since: datetime
    until: datetime | None
    by: str


class Announcements(ListAnswer, frozen=True, kw_only=True):
    """The newest first."""

    announcements: list[AnnouncementLine]


class AskAnnouncements(ListQuestion[Announcements], frozen=True, kw_only=True):
    """What the desk is to know, and what is going to begin.

    Neither withdrawn nor over at `at`, now unless it is given.
    """

    name = "announcements"
    kind: Literal["campaign", "discount", "outage"] | None = None
    at: events.Instant | None = None


class ParkedLine(msgspec.Struct, frozen=True, kw_only=True):
    """`parked_id`: by which `retry_parked` and `skip_parked` name it; `sequence`: of the ledger event that parked it.

    `type`: of the contact event, `None` for other work, `payload.quarantined` for a delivery that could not be read:
    it can only be skipped, once somebody looked at it. `stream`, `position`: where the message stands; `raw`: the
    evidence, `None` where there is none; `error`: how it failed, `failures` times; `parked`: when.
    """

    parked_id: str
    sequence: int
    type: str | None
    stream: str
    position: int
    raw: str | None
    error: str
    failures: int
    parked: datetime


class ParkedAnswer(ListAnswer, frozen=True, kw_only=True):
    """The longest parked first."""

    parked: list[ParkedLine]


class AskParked(ListQuestion[ParkedAnswer], frozen=True, kw_only=True):
    """What waits for an operator: it failed unexpectedly, and was neither done nor given up, or could not be read."""

    name = "parked"


class OnDuty(Answer, frozen=True, kw_only=True):
    """`agents`: who is available now, by id; `queues`: those that have one of them."""

    agents: list[str]
    queues: list[str]


class AskOnDuty(Question[OnDuty], frozen=True, kw_only=True):
    """Who is there to take what comes in."""

    name = "on_duty"


class WaitingLine(msgspec.Struct, frozen=True, kw_only=True):
    """One queue and one way to come to it.

    `open`: somebody is there by the calendar, `until` then; else `opens`; neither where that is always so, or never;
    `waiting`: how many wait now, which is for the desk: nobody is announced as number ten; `taken`: whom an agent took
    within the last hour; `median_seconds`, `p90_seconds`: how long half of them, and nine of ten, had waited at most;
    `None` where that is not known, because it is closed or fewer than five were taken.
    """

    queue: str
    medium: events.Medium
    open: bool
    until: datetime | None
    opens: datetime | None
    waiting: int
    taken: int
    median_seconds: int | None
    p90_seconds: int | None


class Waiting(Answer, frozen=True, kw_only=True):
    """By queue, and in it by medium."""

    queues: list[WaitingLine]


class AskWaiting(Question[Waiting], frozen=True, kw_only=True):
    """Where somebody is there now, and how long it takes. `at`: the hours then, and who was taken in the hour
    before; else now."""

    name = "waiting"
    queue: Name | None = None
    medium: events.Medium | None = None
    at: events.Instant | None = None


WORK_QUERIES = (
    AskInbox,
    AskWorkList,
    AskCallbacks,
    AskPromises,
    AskPromiseRates,
    AskOverlooked,
    AskAnnouncements,
    AskParked,
    AskOnDuty,
    AskWaiting,
)
