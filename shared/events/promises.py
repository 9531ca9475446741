"""What was promised to the customer, and what became of it; on `conv-<id>`."""

from shared.events.envelope import AgentId, Event, Instant, Nothing, Part, PromiseId


class PromiseMadeOpen(Part, frozen=True, kw_only=True):
    """`made`: when it was made in a conversation that goes on in this one; `None` when it is made now.

    `agent`: who promised, `rule:<name>` where no person did;
    `due_soon`: when whoever holds the matter is reminded, `None` for never; `queue`: to which the matter belonged when
    it was made. Of a conversation that goes on in this one: `first_due`, `moved` and `missed`, see
    `shared.conversation.Promise`.
    """

    promise_id: PromiseId
    agent: AgentId
    due: Instant
    made: Instant | None = None
    due_soon: Instant | None = None
    queue: str | None = None
    first_due: Instant | None = None
    moved: int = 0
    missed: bool = False


class PromiseMadePersonal(Part, frozen=True, kw_only=True):
    text: str


class PromiseMade(
    Event[PromiseMadeOpen, PromiseMadePersonal], frozen=True, kw_only=True, tag="promise.made"
):
    """Somebody promised the customer something by a time, here or in a conversation that goes on here."""


class PromiseKeptOpen(Part, frozen=True, kw_only=True):
    """`late`: after the time that held last; `moved`: how often it had got another time by then."""

    promise_id: PromiseId
    agent: AgentId
    late: bool
    moved: int = 0


class PromiseKept(Event[PromiseKeptOpen, Nothing], frozen=True, kw_only=True, tag="promise.kept"):
    """The promise was kept, late or in time."""


class PromiseOverdueOpen(Part, frozen=True, kw_only=True):
    """`agent`: who promised; `to`: who is told of it, `agent-<id>` or `queue-<name>`: somebody who is there.

    `moved`: how often it had got another time by then.
    """

    promise_id: PromiseId
    agent: AgentId
    due: Instant
    to: str
    moved: int = 0


class PromiseOverdue(
    Event[PromiseOverdueOpen, Nothing], frozen=True, kw_only=True, tag="promise.overdue"
):
    """The time of a promise is over, and nobody has kept it: it may still be kept, late."""


class PromiseDueSoonOpen(Part, frozen=True, kw_only=True):
    """As `PromiseOverdueOpen`."""

    promise_id: PromiseId
    agent: AgentId
    due: Instant
    to: str
    moved: int = 0


class PromiseDueSoon(
    Event[PromiseDueSoonOpen, Nothing], frozen=True, kw_only=True, tag="promise.due_soon"
):
    """The time of a promise is nearly over: there is still time to keep it."""


class PromiseRenegotiatedOpen(Part, frozen=True, kw_only=True):
    """`agent`: who agreed it with her; `due`: the new time, `before`: the old one; `late`: that one was over by then.

    `due_soon`: as in `PromiseMadeOpen`; `moved`: how often it has got another time, this one included.
    """

    promise_id: PromiseId
    agent: AgentId
    due: Instant
    before: Instant
    late: bool
    moved: int
    due_soon: Instant | None = None


class PromiseReason(Part, frozen=True, kw_only=True):
    """`reason`: in the agent's words, at most 512 encoded bytes."""

    reason: str


class PromiseRenegotiated(
    Event[PromiseRenegotiatedOpen, PromiseReason],
    frozen=True,
    kw_only=True,
    tag="promise.renegotiated",
):
    """The promise has another time."""


class PromiseWithdrawnOpen(Part, frozen=True, kw_only=True):
    """`moved`: as in `PromiseKeptOpen`."""

    promise_id: PromiseId
    agent: AgentId
    moved: int = 0


class PromiseWithdrawn(
    Event[PromiseWithdrawnOpen, PromiseReason], frozen=True, kw_only=True, tag="promise.withdrawn"
):
    """The promise need not be kept any more, and its time was never over: nobody waited in vain."""


class PromiseBrokenOpen(Part, frozen=True, kw_only=True):
    """`agent`: who gave it up; `promiser`: whose it was; `due`: its time; `moved`: as in `PromiseKeptOpen`.

    `to`: who is told, as for `PromiseOverdueOpen`.
    """

    promise_id: PromiseId
    agent: AgentId
    promiser: AgentId
    due: Instant
    to: str
    moved: int = 0


class PromiseBroken(
    Event[PromiseBrokenOpen, PromiseReason], frozen=True, kw_only=True, tag="promise.broken"
):
    """The last word on a promise whose time was over: nobody will keep it any more."""


PromiseEvent = (
    PromiseMade
    | PromiseKept
    | PromiseOverdue
    | PromiseDueSoon
    | PromiseRenegotiated
    | PromiseWithdrawn
    | PromiseBroken
)
