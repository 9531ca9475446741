"""What the matter holds: facts, promises, callbacks."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from shared import events
from shared.commands.base import ID, Command, ConversationCommand, DiscountCode, FactName, ShortText


class RecordFact(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agent writes down what the customer told."""

    verb = "record_fact"
    fact: FactName
    value: ShortText
    contact_id: Annotated[events.ContactId, ID] | None = None


class CorrectFact(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agent replaces a fact's value; the old one stays in the ledger."""

    verb = "correct_fact"
    fact_id: Annotated[events.FactId, ID]
    value: ShortText
    contact_id: Annotated[events.ContactId, ID] | None = None


class MakePromise(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agent promises the customer something by a time."""

    verb = "make_promise"
    text: ShortText
    due: events.Instant


class KeepPromise(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The promise has been kept."""

    verb = "keep_promise"
    promise_id: Annotated[events.PromiseId, ID]


class RenegotiatePromise(
    ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """The customer agreed to another time. `reason`: why it is not the first one."""

    verb = "renegotiate_promise"
    promise_id: Annotated[events.PromiseId, ID]
    due: events.Instant
    reason: ShortText


class WithdrawPromise(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nobody is to keep the promise any more. One whose time is over is broken by that."""

    verb = "withdraw_promise"
    promise_id: Annotated[events.PromiseId, ID]
    reason: ShortText


class AttemptCallback(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agent called back. `reached` makes her the owner; `wrong_number` ends it: nobody reaches her there."""

    verb = "attempt_callback"
    callback_id: Annotated[events.CallbackId, ID]
    outcome: Literal["reached"] | events.VainOutcome


class CloseCallback(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The callback ends for a stated reason."""

    verb = "close_callback"
    callback_id: Annotated[events.CallbackId, ID]
    reason: ShortText


class RecordAgreement(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agent writes down what was agreed with the customer.

    `contact_id`: in which; without it the one in which she wrote or called last.
    """

    verb = "record_agreement"
    text: ShortText
    contact_id: Annotated[events.ContactId, ID] | None = None


class RecordApology(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agent has apologised to the customer. `text`: for what; `contact_id`: as in `record_agreement`."""

    verb = "record_apology"
    text: ShortText
    contact_id: Annotated[events.ContactId, ID] | None = None


class Amount(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`minor`: in the smallest unit of `currency` (ISO 4217), as cents."""

    minor: Annotated[int, Meta(ge=1, le=10**12)]
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z")]


class OfferCompensation(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agent offers the customer something for what went wrong. It is recorded; nothing is paid or sent by it.

    `text`: what she is told; `code`: by which she has it; `contact_id`: as in `record_agreement`.
    """

    verb = "offer_compensation"
    kind: events.CompensationKind
    text: ShortText
    amount: Amount | None = None
    code: DiscountCode | None = None
    contact_id: Annotated[events.ContactId, ID] | None = None


class AddNote(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agent writes something down for the next colleague; the customer is never shown it."""

    verb = "add_note"
    text: ShortText


MATTER_COMMANDS: tuple[type[Command], ...] = (
    RecordFact,
    CorrectFact,
    MakePromise,
    KeepPromise,
    RenegotiatePromise,
    WithdrawPromise,
    AttemptCallback,
    CloseCallback,
    RecordAgreement,
    RecordApology,
    OfferCompensation,
    AddNote,
)
