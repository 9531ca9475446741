"""The shape of the context packet, as it stands inside `context.packaged`. The fold is in `shared/packet.py`."""

from shared.events.announcement import AnnouncementId, AnnouncementKind
from shared.events.contact_parts import HandleKind, Proof
from shared.events.envelope import (
    AgentId,
    AttachmentId,
    CallbackId,
    ContactId,
    ConversationId,
    CustomerId,
    EventId,
    FactId,
    Instant,
    PacketId,
    Part,
    PromiseId,
)
from shared.events.shop import SeenPage

PACKET_SCHEMA_VERSION = 1


class Known(Part, frozen=True, kw_only=True):
    """A handle and how well it is proved; one that is not `claimed` need not be asked for again.

    `verified`: the same as `proved`, for older readers.
    """

    kind: str
    value: str
    verified: bool
    proof: Proof | None = None


class Possible(Part, frozen=True, kw_only=True):
    """Somebody who may be meant. `reason`: as `customer.suggested` says; `value`: the handle or number that says so."""

    customer: CustomerId
    name: str | None
    reason: str
    kind: str | None
    value: str | None


class Writer(Part, frozen=True, kw_only=True):
    """Who wrote or called, as the contact told it: by this handle, under this name.

    `hers`: the handle is one by which the customer is known, and not merely claimed.
    """

    name: str | None
    kind: HandleKind | None
    value: str | None
    proof: Proof | None
    hers: bool = False


class Who(Part, frozen=True, kw_only=True):
    customer: CustomerId
    provisional: bool
    name: str | None
    salutation: str | None
    language: str | None
    identities: list[Known]
    possibly: list[Possible] = []


class Order(Part, frozen=True, kw_only=True):
    number: str
    status: str
    description: str | None


class Earlier(Part, frozen=True, kw_only=True):
    """A resolved conversation with which the customer goes on.

    `matter`: her first words there; `summary`: the last wrap-up, `wrapped_up`: when it was written.
    """

    conversation: ConversationId
    matter: str | None
    summary: str | None
    wrapped_up: Instant | None


class Why(Part, frozen=True, kw_only=True):
    """`matter`: the customer's own first words, or `None` when she only spoke; `queue`: where it came in.

    `after`: what she comes back to, by an answer to it or in the same chat.
    """

    matter: str | None
    queue: str | None
    orders: list[Order]
    after: Earlier | None = None


class Fact(Part, frozen=True, kw_only=True):
    """`corrected`: the value replaced an earlier one; `repeated`: how often she had to say it again."""

    fact_id: FactId
    name: str
    value: str
    origin: str
    channel: str | None
    told_to: AgentId | None
    said: Instant
    corrected: bool
    repeated: int


class Done(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that was done: a wrap-up, a kept promise, an apology, what came of asking somebody outside.

    What is at its default is not written, as in packets that did not know it. `conversation`: another one of hers, in
    which it was done; `contact_id`: in which it was agreed or made good, `recording`: the file in which one hears it.
    Of a compensation: `kind`, `amount_minor` and `currency` as its event has them, and `code`, by which she has it.
    """

    what: str
    by: AgentId | None
    at: Instant
    text: str | None
    conversation: ConversationId | None = None
    contact_id: ContactId | None = None
    recording: AttachmentId | None = None
    kind: str | None = None
    amount_minor: int | None = None
    currency: str | None = None
    code: str | None = None


class OpenPromise(Part, frozen=True, kw_only=True):
    promise_id: PromiseId
    text: str
    by: AgentId
    made: Instant
    due: Instant


class OpenCallback(Part, frozen=True, kw_only=True):
    callback_id: CallbackId
    reason: str
    due: Instant
    attempts: int


class Pending(Part, frozen=True, kw_only=True):
    """`unanswered`: messages of the customer since the last answer of a person."""

    promises: list[OpenPromise]
    callbacks: list[OpenCallback]
    unanswered: int


class Hop(Part, frozen=True, kw_only=True):
    """A hand-over: sender, receiver, kind and reason. Of kind `assigned` it is a supervisor's, who is its sender.

    `outcome`: `open`, `accepted`, `rejected`, `cancelled`, `expired`, `superseded` when a call-back or a supervisor
    came first, or `assigned`; of one outside `connected`, `answered` or `not_reached`.
    """

    kind: str
    sender: AgentId
    to: str
    brief: str
    requested: Instant
    accepted: Instant | None
    outcome: str = "open"


class Path(Part, frozen=True, kw_only=True):
    hops: list[Hop]
    forwards: int
    channels: list[str]
    waited_seconds: int
    on_hold: bool


class SaidFile(Part, frozen=True, kw_only=True):
    """A file that came with a message; the query `attachment` gives its address. `name`: its beginning.

    `lost`: why it is not stored, and then it has neither hash nor size.
    """

    attachment_id: AttachmentId
    name: str | None = None
    media_type: str | None = None
    size_bytes: int | None = None
    sha256: str | None = None
    lost: str | None = None


class Said(Part, frozen=True, kw_only=True):
    """One message verbatim, or cut (`cut`: how many characters are missing). `writer`: of a message to us.

    `at`: when it was written, by which they stand in order; when we heard it stands in the timeline. `event`: the id of
    its event; `files`: what came with it, as far as it was fetched; `quoted`: the beginning of what it answers.
    """

    at: Instant
    by: str
    channel: str
    text: str
    cut: int
    writer: Writer | None = None
    event: EventId | None = None
    files: list[SaidFile] = []
    quoted: str | None = None


class Visit(Part, frozen=True, kw_only=True):
    """What the customer did last on the shop's pages, from `began` to `ended`.

    `pages`, `did`: in their order; `cart`: what lay in the cart at the end; `campaign`: what brought her, as
    (name, value). `known_by`: the kind of handle that says it was she, `proof`: how well; by a claim it was possibly
    she.
    """

    began: Instant
    ended: Instant
    pages: list[SeenPage]
    cart: list[str]
    campaign: list[tuple[str, str]]
    did: list[str]
    known_by: HandleKind
    proof: Proof


class Announcement(Part, frozen=True, kw_only=True):
    """A campaign, a discount or an outage that held when the packet was made. `until`: `None` where nobody said so."""

    announcement_id: AnnouncementId
    kind: AnnouncementKind
    text: str
    since: Instant
    until: Instant | None = None
    codes: list[str] = []


class Around(Part, frozen=True, kw_only=True):
    """What stands around the matter.

    `visit`: her last one to the pages, as it was found with her contact; `announcements`: what the desk is to know, the
    newest first.
    """

    visit: Visit | None = None
    announcements: list[Announcement] = []


class More(Part, frozen=True, kw_only=True):
    """What did not fit, by count; `facts` also by reference, the newest 12 of those that are older.

    `next_facts`: cursor for all of these, the `after` of the query `conversation`; `None` when none is missing.
    `said_before`: cursor for older messages, the time of the oldest one shown; `None` when none is missing.
    """

    facts: int
    fact_ids: list[FactId]
    promises: int
    callbacks: int
    hops: int
    orders: int
    identities: int
    done: int
    said: int
    said_before: Instant | None
    possibly: int = 0
    announcements: int = 0
    next_facts: str | None = None


class Folded(Part, frozen=True, kw_only=True):
    """What of an aggregate was folded: all up to `sequence`, and its next `and_next` events.

    The next ones stand in the same batch as the packet, so their sequences were not known yet.
    """

    aggregate: str
    sequence: int
    and_next: int = 0


class BuiltFrom(Part, frozen=True, kw_only=True):
    conversation: Folded
    customer: Folded
    fold_version: int
    policy_version: str


class Packet(Part, frozen=True, kw_only=True):
    """All that the next person must know; at most 64 KiB in canonical form.

    `contact`: in which somebody wrote or called last; `writer`: who did, and is answered.
    """

    packet_id: PacketId
    schema_version: int
    conversation: ConversationId
    contact: ContactId | None
    who: Who
    why: Why
    facts: list[Fact]
    done: list[Done]
    open: Pending
    path: Path
    said: list[Said]
    more: More
    built_from: BuiltFrom
    writer: Writer | None = None
    around: Around = Around()
