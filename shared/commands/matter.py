"""What the matter holds: facts, promises, callbacks."""

from typing import Annotated, Literal

from shared import events
from shared.commands.base import ID, Command, ConversationCommand, FactName, ShortText


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
    """The agent called back. `reached` makes her the owner."""

    verb = "attempt_callback"
    callback_id: Annotated[events.CallbackId, ID]
    outcome: Literal["reached", "no_answer"]


class CloseCallback(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The callback ends for a stated reason."""

    verb = "close_callback"
    callback_id: Annotated[events.CallbackId, ID]
    reason: ShortText


MATTER_COMMANDS: tuple[type[Command], ...] = (
    RecordFact,
    CorrectFact,
    MakePromise,
    KeepPromise,
    RenegotiatePromise,
    WithdrawPromise,
    AttemptCallback,
    CloseCallback,
)
