"""What a conversation is: the customer's matter across channels, until it is resolved."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from shared import events
from shared.events.packet import Done, Said
from shared.memory import Memory

ContactStatus = Literal["waiting", "accepted", "lost"]


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of work on one channel: a call, a chat session, a mail, a form.

    `status`: `lost` is a call that ended before an agent took it; `over`: the channel reported its end;
    `wrapped_up`: the agent wrote down how it went.
    """

    contact_id: events.ContactId
    channel: str
    account: str
    started: datetime
    queue: str | None = None
    status: ContactStatus = "waiting"
    over: bool = False
    answered: bool = False
    on_hold: bool = False
    wrapped_up: bool = False
    completed: bool = False

    @property
    def live(self) -> bool:
        """Somebody still has to take or finish it."""
        return not self.over and self.status != "lost"


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """The open question to one agent. Exactly one of `contact_id`, `transfer_id` says what is offered."""

    offer_id: events.OfferId
    agent: events.AgentId
    packet_id: events.PacketId
    expires: datetime
    contact_id: events.ContactId | None = None
    transfer_id: events.TransferId | None = None


class OpenTransfer(msgspec.Struct, frozen=True, kw_only=True):
    """A hand-over under way."""

    transfer_id: events.TransferId
    kind: events.TransferKind
    sender: events.AgentId
    to: events.Target
    brief: str
    packet_id: events.PacketId
    requested: datetime
    expires: datetime
    refused_by: tuple[events.AgentId, ...] = ()


class StatedFact(msgspec.Struct, frozen=True, kw_only=True):
    """A fact and its telling. `told_at_handover`: hand-overs of the conversation when it was last told."""

    fact_id: events.FactId
    name: str
    value: str
    origin: events.FactOrigin
    channel: str | None
    contact_id: events.ContactId | None
    told_to: events.AgentId | None
    said: datetime
    sequence: int
    corrected: bool = False
    repeated: int = 0
    told_at_handover: int = 0


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    promise_id: events.PromiseId
    text: str
    by: events.AgentId
    made: datetime
    due: datetime
    kept: datetime | None = None


class Callback(msgspec.Struct, frozen=True, kw_only=True):
    """`status`: `open` until reached or closed for a stated reason."""

    callback_id: events.CallbackId
    contact_id: events.ContactId
    queue: str
    due: datetime
    reason: str
    attempts: int = 0
    status: Literal["open", "reached", "closed"] = "open"


class HopTaken(msgspec.Struct, frozen=True, kw_only=True):
    """One hand-over.

    `outcome`: `open`, `accepted`, `rejected`, `cancelled`, `expired`, or `superseded` when a call-back came first.
    """

    transfer_id: events.TransferId
    kind: events.TransferKind
    sender: events.AgentId
    to: str
    brief: str
    requested: datetime
    accepted: datetime | None = None
    outcome: str = "open"


class Outbound(msgspec.Struct, frozen=True, kw_only=True):
    message_id: events.MessageId
    channel: str
    status: Literal["requested", "sent", "failed", "uncertain"] = "requested"


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """The whole matter, folded.

    Attributes:
        id: `None` while nothing was recorded.
        correlation: id of the contact event that opened it.
        owner, queue: one of them holds an open conversation (invariant I14); during a warm transfer the sender
            stays owner.
        passed_over: agents who refused or let an offer lapse since the conversation last began to wait, by
            count; `passed_over_at`: when that last happened.
        handovers: changes of owner and of channel so far.
        packet_id: the last packet; `shown`: nothing it shows of the conversation has changed since;
            `packet_customer_sequence`: how much of the customer it shows.
        waiting_since: when the current wait began; `waited_seconds`: all ended waits.
        said_before, done_before: how many older ones were dropped from `said` and `done`.
    """

    id: events.ConversationId | None = None
    customer: events.CustomerId | None = None
    correlation: str | None = None
    opened: datetime | None = None
    last_activity: datetime | None = None
    resolved: bool = False
    owner: events.AgentId | None = None
    queue: str | None = None
    first_queue: str | None = None
    waiting_since: datetime | None = None
    waited_seconds: int = 0
    contacts: dict[events.ContactId, Contact] = {}
    channels: tuple[str, ...] = ()
    matter: str | None = None
    offer: Offer | None = None
    transfer: OpenTransfer | None = None
    passed_over: dict[events.AgentId, int] = {}
    passed_over_at: datetime | None = None
    facts: dict[events.FactId, StatedFact] = {}
    repeats: int = 0
    handovers: int = 0
    promises: dict[events.PromiseId, Promise] = {}
    callbacks: dict[events.CallbackId, Callback] = {}
    hops: tuple[HopTaken, ...] = ()
    said: tuple[Said, ...] = ()
    said_before: int = 0
    done: tuple[Done, ...] = ()
    done_before: int = 0
    unanswered: int = 0
    outbound: dict[events.MessageId, Outbound] = {}
    last_reference: str | None = None
    packet_id: events.PacketId | None = None
    packet_customer_sequence: int = 0
    shown: bool = False
    seen: Memory = {}
    sequence: int = 0

    @property
    def last_contact(self) -> Contact | None:
        """The contact that began last; `None` before the first."""
        return next(reversed(self.contacts.values()), None)

    @property
    def waiting_contact(self) -> Contact | None:
        """The contact for which an agent is sought; `None` when nobody waits.

        A live contact that waits comes first; in an owned conversation that is a call, which rings at the owner.
        Without an owner it is else the last one that an agent had, and the last one at all once no callback is owed
        for a lost call: no open conversation is left to itself.
        """
        contacts = self.contacts.values()
        waiting = next((each for each in contacts if each.live and each.status == "waiting"), None)
        if waiting is not None or self.owner is not None or self.resolved:
            return None if self.resolved else waiting
        had = next((each for each in reversed(contacts) if each.status == "accepted"), None)
        owed = any(each.status == "open" for each in self.callbacks.values())
        return had or (None if owed else self.last_contact)


NEW_CONVERSATION = Conversation()
