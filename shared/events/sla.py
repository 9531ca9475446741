"""The clocks of service levels: how long a customer may wait, and what came of it; on `conv-<id>`.

A clock starts with what she says, and ends with a person's answer, or with the matter.
"""

from typing import Literal

from shared.events.envelope import ClockId, ContactId, Event, Instant, Nothing, Part

SlaTarget = Literal["first_response", "next_response", "resolution"]
"""What is to come in time: the first answer of a person, the next one to what she said since, the end of the matter."""


class SlaStartedOpen(Part, frozen=True, kw_only=True, omit_defaults=True):
    """A wait that is measured.

    `contact_id`: in which she waits; `queue`: whose hours hold; `since`: when what she said came here; `seconds`: of
    open time that it may take, `warn_seconds`: until somebody is warned; `warns`, `due`: when that is; `calendar`: the
    policy's name of the hours, `None`: always open; `rule`: the policy's service level.
    """

    clock_id: ClockId
    target: SlaTarget
    contact_id: ContactId
    queue: str
    since: Instant
    seconds: float
    warn_seconds: float
    warns: Instant
    due: Instant
    rule: str
    policy_version: str
    calendar: str | None = None


class SlaStarted(Event[SlaStartedOpen, Nothing], frozen=True, kw_only=True, tag="sla.started"):
    """The customer waits from now on for an answer, or for the end of her matter."""


class SlaPausedOpen(Part, frozen=True, kw_only=True):
    clock_id: ClockId
    target: SlaTarget


class SlaPaused(Event[SlaPausedOpen, Nothing], frozen=True, kw_only=True, tag="sla.paused"):
    """The matter waits for the customer, who has been answered: her time is not ours."""


class SlaResumedOpen(Part, frozen=True, kw_only=True):
    """`due`: when the time is over by now; `warns`: when somebody is warned, `None` when somebody was."""

    clock_id: ClockId
    target: SlaTarget
    due: Instant
    warns: Instant | None = None


class SlaResumed(Event[SlaResumedOpen, Nothing], frozen=True, kw_only=True, tag="sla.resumed"):
    """She said something: the matter waits for us again."""


class SlaWarnedOpen(Part, frozen=True, kw_only=True):
    """`to`: who is told, `agent-<id>` or `queue-<name>`: whoever can still answer in time."""

    clock_id: ClockId
    target: SlaTarget
    due: Instant
    to: str


class SlaWarned(Event[SlaWarnedOpen, Nothing], frozen=True, kw_only=True, tag="sla.warned"):
    """Most of the time has passed, and what is to come has not come."""


class SlaMetOpen(Part, frozen=True, kw_only=True, omit_defaults=True):
    """`warned`: somebody had been warned, who need no longer see that."""

    clock_id: ClockId
    target: SlaTarget
    due: Instant
    warned: bool = False


class SlaMet(Event[SlaMetOpen, Nothing], frozen=True, kw_only=True, tag="sla.met"):
    """It came in time."""


class SlaBreachedOpen(Part, frozen=True, kw_only=True, omit_defaults=True):
    """`queue`: whose supervisor is told; `answered`: it came by now, too late; `warned`: as of `sla.met`."""

    clock_id: ClockId
    target: SlaTarget
    due: Instant
    queue: str
    answered: bool = False
    warned: bool = False


class SlaBreached(Event[SlaBreachedOpen, Nothing], frozen=True, kw_only=True, tag="sla.breached"):
    """The time is over, and it had not come by then."""


SlaEvent = SlaStarted | SlaPaused | SlaResumed | SlaWarned | SlaMet | SlaBreached
