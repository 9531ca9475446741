"""The shape of a story file: its head and its steps. One struct per kind of step."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from deploy.story.file.durations import Duration

STEPS_MAX = 500
TIMES_MAX = 100
WITHIN_SECONDS = 15.0
WITHIN_MAX_SECONDS = 600.0
MAIL = "mail"
"""What `tamper` takes instead of a table."""

Name = Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,48}\Z")]
Reference = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,47}\Z")]
Path = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,200}\Z")]
Account = Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,48}/[a-z0-9_-]{1,48}\Z")]
TimeLimits = Annotated[int, Meta(ge=1, le=TIMES_MAX)]
Process = Literal["nats", "postgres", "ingest", "router", "history", "notify"]
"""What `tellonce status` names, and a story may kill."""
Says = Literal["delivered", "read", "failed"]
"""What a provider reports of a message that it took."""
Given = Literal["offered", "accepted", "assigned", "switched", "called_back", "reopened"]


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A typing error in a story is an error, not a default."""


class Step(_Strict, frozen=True, kw_only=True):
    """What every step may say. `note`: the story in plain words, shown while it plays; `tenant`: another one's step."""

    note: str | None = None
    tenant: Name | None = None


# -- what people and providers do -------------------------------------------------------------------


class DoorStep(Step, frozen=True, kw_only=True):
    """A provider or a visitor delivers something at a door, in the provider's own format.

    `body`, `file`: what, `file` relative to the story; `sign`: as the provider does, not at all, or with a wrong key;
    `times`: how often, byte for byte; `session`: for the chat: which kept-open socket.
    """

    door: Account
    body: Any = None
    file: str | None = None
    headers: dict[str, str] = {}
    sign: bool | Literal["wrong"] = True
    times: TimeLimits = 1
    session: Name = "visitor"
    save: dict[Reference, Path] = {}


class GetStep(Step, frozen=True, kw_only=True):
    """Anybody reads a public address of ingest, as a browser does. `get`: its path."""

    get: Annotated[str, Meta(pattern=r"^/[a-z0-9/_-]{1,200}\Z")]
    within: Duration = WITHIN_SECONDS
    save: dict[Reference, Path] = {}


class ReceiptStep(Step, frozen=True, kw_only=True):
    """A provider reports on the newest message that it took for an account.

    `to`: the customer as the provider names her, anybody without it; `times`: as of a door; `within`: how long the
    message is waited for.
    """

    receipt: Account
    says: Says
    to: str | None = None
    times: TimeLimits = 1
    within: Duration = WITHIN_SECONDS


class ImportStep(Step, frozen=True, kw_only=True):
    """An operator imports what a vendor exported, into `<channel>/<account>`; `body`, `file`: as of a door."""

    import_: Account = msgspec.field(name="import")
    body: Any = None
    file: str | None = None
    times: TimeLimits = 1


class CommandStep(Step, frozen=True, kw_only=True):
    """An agent or an integration sends a command. Ids that `with` leaves out are found as her screen would."""

    as_: Annotated[str, Meta(pattern=r"^((agent|service):)?[a-z0-9_-]{1,48}\Z")] = msgspec.field(
        name="as"
    )
    do: Name
    with_: dict[str, Any] = msgspec.field(name="with", default_factory=dict)
    times: TimeLimits = 1
    within: Duration = WITHIN_SECONDS
    save: dict[Reference, Path] = {}

    @property
    def actor(self) -> str:
        return self.as_ if ":" in self.as_ else f"agent:{self.as_}"

    @property
    def agent(self) -> str:
        return self.as_.partition(":")[2] or self.as_


class AskStep(Step, frozen=True, kw_only=True):
    """A query, asked until every path in `save` leads somewhere."""

    ask: Name
    with_: dict[str, Any] = msgspec.field(name="with", default_factory=dict)
    within: Duration = WITHIN_SECONDS
    save: dict[Reference, Path] = {}


class AsOfStep(Step, frozen=True, kw_only=True):
    """What an agent saw at the moment she last accepted; it must stay the same until the end of the story."""

    as_of: Name
    within: Duration = WITHIN_SECONDS


class TogetherStep(Step, frozen=True, kw_only=True):
    """Doors and commands at the same time."""

    together: Annotated[list[dict[str, Any]], Meta(min_length=2, max_length=32)]


# -- what happens to the machines -------------------------------------------------------------------


class KillStep(Step, frozen=True, kw_only=True):
    """Signal 9 to one process of `tellonce status`."""

    kill: Process


class RestartStep(Step, frozen=True, kw_only=True):
    """Stop everything, stay down for a while, start again on the same data."""

    restart: Literal["all"]
    while_: Duration = msgspec.field(name="while", default=0)


class TamperStep(Step, frozen=True, kw_only=True):
    """Change a row of a table of history by hand, or let the last mail arrive twice; only where `must_fail` stands."""

    tamper: Annotated[str, Meta(pattern=r"^[a-z_][a-z0-9_]{0,62}\Z")]


# -- what must be true ------------------------------------------------------------------------------


class Expect(Step, frozen=True, kw_only=True):
    """What every expectation has. `of`: a phone number or an address, when the story has several customers."""

    expect: str
    within: Duration = WITHIN_SECONDS


class ExpectOfConversation(Expect, frozen=True, kw_only=True):
    of: str | None = None


class WantedHop(_Strict, frozen=True, kw_only=True):
    """One hand-over; what is left out is not compared. `from`: an agent; `to`: as in the packet."""

    from_: str | None = msgspec.field(name="from", default=None)
    to: str | None = None
    kind: Literal["cold", "warm", "assigned"] | None = None
    brief: str | None = None
    accepted: bool | None = None
    outcome: str | None = None


class WantedVisit(_Strict, frozen=True, kw_only=True):
    """The last visit to the shop's pages; what is left out is not compared. `pages`: titles; `proof`: it was she."""

    pages: list[str] | None = None
    cart: list[str] | None = None
    campaign: dict[str, str] | None = None
    proof: Literal["proved", "delivered", "claimed"] | None = None


class ExpectPacket(Expect, frozen=True, kw_only=True):
    """The last packet that an agent was given (or the last one named by events of `when`), read from LEDGER."""

    to: Name
    when: Given | None = None
    facts: dict[str, str | list[str]] = {}
    facts_only: bool = False
    name: str | None = None
    salutation: str | None = None
    language: str | None = None
    orders: list[str] | None = None
    promises: list[str] | None = None
    done: dict[str, str | list[str]] = {}
    hops: list[WantedHop] | None = None
    said: list[str] = []
    channels: list[str] | None = None
    after: str | None = None
    on_hold: bool | None = None
    unanswered: int | None = None
    visit: WantedVisit | None = None
    announcements: list[str] | None = None


class ExpectOwner(ExpectOfConversation, frozen=True, kw_only=True):
    """The holder of the conversation. `is`: an agent, a list of agents, `nobody`; `status`: in history's words."""

    is_: Name | Annotated[list[Name], Meta(min_length=1)] | None = msgspec.field(
        name="is", default=None
    )
    queue: Name | None = None
    status: Literal["waiting", "owned", "resolved"] | None = None


class ExpectTimeline(ExpectOfConversation, frozen=True, kw_only=True):
    """Event types of the timeline. `has`: in this order, others between them; `count`: exactly so many."""

    has: list[str] = []
    lacks: list[str] = []
    count: dict[str, int] = {}
    conversations: int | None = None


class ExpectNotification(Expect, frozen=True, kw_only=True):
    """Somebody was told. `to`: `agent-<id>` or `queue-<name>`."""

    to: str
    reason: str | None = None
    state: Literal["requested", "sent", "acknowledged", "escalated"] = "sent"
    count: int | None = None


class ExpectPromise(ExpectOfConversation, frozen=True, kw_only=True):
    text: str | None = None
    by: Annotated[str, Meta(pattern=r"^(rule:)?[a-z0-9_-]{1,48}\Z")] | None = None
    state: Literal["open", "kept", "withdrawn", "broken"] = "open"
    count: int = 1


class ExpectCallback(ExpectOfConversation, frozen=True, kw_only=True):
    state: Literal["open", "reached", "closed"] = "open"
    reason: str | None = None
    queue: Name | None = None
    attempts: int | None = None
    count: int = 1


class ExpectMissed(ExpectOfConversation, frozen=True, kw_only=True):
    """What became of the contacts of a conversation that nobody took. `reason`: how they were lost."""

    fate: Literal["reached", "answered", "closed", "open", "unreachable", "unaccounted"]
    reason: str | None = None
    queue: Name | None = None
    in_time: bool | None = None
    count: int = 1


class ExpectReply(Expect, frozen=True, kw_only=True):
    """The answer to the last door or command. `count`: how many of the answers of a `together`."""

    status: int | None = None
    contains: str | None = None
    code: str | None = None
    count: int | None = None


class ExpectMail(Expect, frozen=True, kw_only=True):
    """What arrived at the customer's mail box."""

    to: str
    title: str | None = None
    contains: list[str] = []
    count: int | None = None


class ExpectMessage(Expect, frozen=True, kw_only=True):
    """What a provider took for a customer. `by`: the channel; `to`: the customer as the provider names her."""

    by: Name
    to: str | None = None
    contains: list[str] = []
    count: int | None = None


class ExpectChat(Expect, frozen=True, kw_only=True):
    """What agents answered on the page of a visitor. `by`: the agent's name; `count`: each counts once."""

    session: Name = "visitor"
    contains: list[str] = []
    by: str | None = None
    count: int | None = None


class ExpectError(Expect, frozen=True, kw_only=True):
    """The code with which the last step was refused, or one of several codes."""

    code: str | list[str]
    count: int | None = None


class ExpectBalance(Expect, frozen=True, kw_only=True):
    received: int | None = None
    accepted: int | None = None
    duplicate: int | None = None
    ignored: int | None = None
    quarantined: int | None = None
    parked: int | None = 0
    skipped: int | None = None
    missing: int | None = 0


class ExpectRepeats(Expect, frozen=True, kw_only=True):
    """How often customers had to tell a fact again after a hand-over."""

    is_: int = msgspec.field(name="is")


EXPECTATIONS: dict[str, type[Expect]] = {
    "packet": ExpectPacket,
    "owner": ExpectOwner,
    "timeline": ExpectTimeline,
    "notification": ExpectNotification,
    "promise": ExpectPromise,
    "callback": ExpectCallback,
    "missed": ExpectMissed,
    "reply": ExpectReply,
    "mail": ExpectMail,
    "message": ExpectMessage,
    "chat": ExpectChat,
    "error": ExpectError,
    "balance": ExpectBalance,
    "repeats": ExpectRepeats,
}

STEPS: dict[str, type[Step]] = {
    "door": DoorStep,
    "get": GetStep,
    "receipt": ReceiptStep,
    "import": ImportStep,
    "as": CommandStep,
    "ask": AskStep,
    "as_of": AsOfStep,
    "together": TogetherStep,
    "kill": KillStep,
    "restart": RestartStep,
    "tamper": TamperStep,
}
"""Kinds of steps by the key that makes a step one of them; `expect` has its kinds above."""


class Head(_Strict, frozen=True, kw_only=True):
    """A story file as it is written. `policy`, `settings`: laid over those of the stack that is started; `tenants`:
    laid over that policy for each further tenant."""

    story: Name
    about: str = ""
    tenant: Name = "demo"
    must_fail: str | None = None
    policy: dict[str, Any] = {}
    tenants: dict[Name, dict[str, Any]] = {}
    settings: dict[Annotated[str, Meta(pattern=r"^TELLONCE_[A-Z_]+\Z")], str | int | float] = {}
    steps: Annotated[list[dict[str, Any]], Meta(min_length=1, max_length=STEPS_MAX)]


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """A checked story. `folder`: where `file` of a door step is looked for."""

    head: Head
    steps: list[Step]
    folder: str

    @property
    def name(self) -> str:
        return self.head.story

    @property
    def expects_mail(self) -> bool:
        return any(isinstance(step, ExpectMail) for step in self.steps)

    @property
    def expects_messages(self) -> bool:
        return any(isinstance(step, ExpectMessage | ReceiptStep) for step in self.steps)

    @property
    def needs_own_stack(self) -> bool:
        """It changes settings or machines, which a stack of somebody else must not suffer; a policy may fit it."""
        return any([self.head.settings, self.head.tenants, *map(_changes_a_machine, self.steps)])


def _changes_a_machine(step: Step) -> bool:
    """Tell whether a step changes more than the player's own mail boxes."""
    return isinstance(step, RestartStep) or (isinstance(step, TamperStep) and step.tamper != MAIL)
