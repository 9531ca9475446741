"""A conversation is handed on."""

from typing import Annotated

from shared import events
from shared.commands.base import ID, Command, ConversationCommand, ShortText


class Transfer(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The owner hands the conversation on, warm (stays owner until a colleague accepts) or cold.

    `to`: an agent, a team, a queue, or somebody outside whom the policy lists: then she stays owner, and says what came
    of it (`complete_transfer`). `brief`: why, and all that is told to somebody outside.
    """

    verb = "transfer"
    to: events.Target
    kind: events.TransferKind
    brief: ShortText


class AcceptTransfer(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The colleague takes the conversation."""

    verb = "accept_transfer"
    transfer_id: Annotated[events.TransferId, ID]


class RejectTransfer(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The colleague refuses."""

    verb = "reject_transfer"
    transfer_id: Annotated[events.TransferId, ID]
    reason: ShortText | None = None


class CancelTransfer(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The sender takes the transfer back before it is accepted."""

    verb = "cancel_transfer"
    transfer_id: Annotated[events.TransferId, ID]


class CompleteTransfer(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The sender says what came of a transfer outside. `result`: what they told her."""

    verb = "complete_transfer"
    transfer_id: Annotated[events.TransferId, ID]
    outcome: events.OutsideOutcome
    result: ShortText | None = None


class TakeOver(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The supervisor of the queue takes the conversation, whoever has it."""

    verb = "take_over"
    reason: ShortText


class Assign(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The supervisor of the queue gives the conversation to an agent who is there, whoever has it."""

    verb = "assign"
    to: Annotated[events.AgentId, ID]
    reason: ShortText


class Escalate(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The owner hands it up, to the next line of its queue, or to a later one, `to`.

    She lets go at once; of a warm one she stays owner until somebody of the line accepts, as the customer holds.
    """

    verb = "escalate"
    brief: ShortText
    to: Annotated[str, ID] | None = None
    kind: events.TransferKind = "cold"


TRANSFER_COMMANDS: tuple[type[Command], ...] = (
    Transfer,
    AcceptTransfer,
    RejectTransfer,
    CancelTransfer,
    CompleteTransfer,
    TakeOver,
    Assign,
    Escalate,
)
