"""What was known of a matter at a ledger position: the fold of its events up to there and nothing later. Pure."""

from collections.abc import Sequence
from datetime import datetime

from services.history.domain.packets import stored_packet
from shared import conversation as conversations
from shared import customer as customers
from shared import errors, events, ids, queries
from shared.conversation import FOLD_VERSION
from shared.ledger import Recorded
from shared.packet import package, sha256_of

CODE_VERSION = f"fold-{FOLD_VERSION}"


def until(history: Sequence[Recorded], sequence: int) -> list[Recorded]:
    """Return the events at or before a ledger position."""
    return [recorded for recorded in history if recorded.sequence <= sequence]


def sequence_occurred(history: Sequence[Recorded], occurred: datetime) -> int:
    """Return the last sequence before the first event that happened after `occurred`; 0 when all did."""
    sequence = 0
    for recorded in history:
        if recorded.event.occurred > occurred:
            break
        sequence = recorded.sequence
    return sequence


def customer_in(history: Sequence[Recorded]) -> events.CustomerId | None:
    """Return the customer that the events name; `None` while none does."""
    opened = conversations.fold((recorded.sequence, recorded.event) for recorded in history)
    return opened.customer


def answer(
    tenant: str,
    sequence: int,
    of_conversation: Sequence[Recorded],
    of_customer: Sequence[Recorded],
) -> queries.AsOfAnswer:
    """Return the packet of a matter at `sequence`, from events at or before it.

    Raises: ConversationUnknown when nothing of it was recorded by then.
    """
    conversation = conversations.fold(
        (recorded.sequence, recorded.event) for recorded in of_conversation
    )
    customer = customers.fold((recorded.sequence, recorded.event) for recorded in of_customer)
    if conversation.id is None:
        raise errors.ConversationUnknown(sequence=sequence)
    packet = package(
        conversation,
        customer,
        packet_id=events.PacketId(
            ids.scoped_id("as_of", tenant, conversation.id, str(conversation.sequence))
        ),
        policy_version=_policy_version(of_conversation),
    )
    return queries.AsOfAnswer(
        position=sequence,
        sequence=sequence,
        code_version=CODE_VERSION,
        digest=sha256_of(packet),
        packet=packet,
        shown=_shown(of_conversation),
    )


def _policy_version(history: Sequence[Recorded]) -> str:
    """Return the version of the policy that the last packet names; before the first packet, of the opening's."""
    version = ""
    for recorded in history:
        match recorded.event:
            case events.ContextPackaged(personal=packed) if packed is not None:
                version = packed.packet.built_from.policy_version
            case events.ConversationOpened() if not version:
                version = recorded.event.open.policy_version
    return version


def _shown(history: Sequence[Recorded]) -> queries.Shown | None:
    for recorded in reversed(history):
        if isinstance(recorded.event, events.ContextPackaged):
            return queries.Shown(
                packet_id=recorded.event.open.packet_id,
                sha256=recorded.event.open.sha256,
                sequence=recorded.sequence,
                packet=stored_packet(recorded.body),
            )
    return None
