"""Commands and timers: which rule answers which. The table of contents of the router's decisions."""

from __future__ import annotations

from services.router.domain import facts, offers, people, transfers, work
from services.router.domain.decision import Case, Decision, Stamp
from services.router.domain.handover import ensure_packets
from shared import errors, events
from shared.commands import (
    AcceptOffer,
    AcceptTransfer,
    AttemptCallback,
    CancelTransfer,
    CloseCallback,
    Command,
    ConversationCommand,
    CorrectFact,
    KeepPromise,
    MakePromise,
    RecordFact,
    RejectOffer,
    RejectTransfer,
    Resolve,
    SendMessage,
    SetStatus,
    SignIn,
    Transfer,
    WrapUp,
)
from shared.packet import check_text
from shared.requests import agent_of

OFFER_EXPIRY = "offer_expiry"
TRANSFER_EXPIRY = "transfer_expiry"

OWNERS_ONLY = (Transfer, SendMessage, Resolve)
"""Commands that only the owner of the conversation may give."""
AFTER_THE_END = (KeepPromise,)
"""Commands that a resolved conversation takes: what was promised outlives the matter."""
ACCEPTING = (AcceptOffer, AcceptTransfer)
"""Commands that are compared with the packet of their offer."""


def decide(case: Case, command: Command, stamp: Stamp) -> list[events.AnyEvent]:
    """Return what a command of an agent changes; when it is so already, that it was noted.

    Raises: TellonceError with the code that says why not.
    """
    decision = Decision(case, stamp)
    agent_id = agent_of(stamp.policy, command.actor)
    match command:
        case SignIn():
            people.sign_in(decision, agent_id)
        case SetStatus():
            people.set_status(decision, agent_id, command.status)
        case ConversationCommand():
            _check_conversation(decision, agent_id, command)
            _decide_on_conversation(decision, agent_id, command)
        case _:
            raise errors.CommandUnknown(command=command.verb)
    if not decision.events:
        _note(decision, agent_id, command)
    ensure_packets(case.conversation.packet.id, decision.events)
    return decision.events


def _note(decision: Decision, agent_id: events.AgentId, command: Command) -> None:
    """A command is remembered by its events: one without any would be decided anew when it is repeated."""
    noted = events.CommandNotedOpen(command=command.verb)
    if isinstance(command, ConversationCommand):
        decision.on_conversation(events.CommandNoted, noted)
    else:
        decision.on_agent(events.CommandNoted, agent_id, noted)


def _check_conversation(
    decision: Decision, agent_id: events.AgentId, command: ConversationCommand
) -> None:
    it = decision.conversation
    if it.id is None:
        raise errors.ConversationUnknown()
    if it.resolved and not isinstance(command, AFTER_THE_END):
        raise errors.ConversationResolved()
    if isinstance(command, OWNERS_ONLY) and it.ownership.owner != agent_id:
        raise errors.ConversationNotOwned()
    _check_contact(decision, command)
    _check_expected(decision, command)


def _check_contact(decision: Decision, command: ConversationCommand) -> None:
    """Raises: ContactUnknown when the command names a contact that the conversation does not have."""
    if not isinstance(command, RecordFact | CorrectFact | WrapUp) or command.contact_id is None:
        return
    if command.contact_id not in decision.conversation.contacts.by_id:
        raise errors.ContactUnknown(contact_id=command.contact_id)


def _check_expected(decision: Decision, command: ConversationCommand) -> None:
    """Raises: CommandStale when the offer, transfer or packet that the caller saw is not the one that stands."""
    it, expected = decision.conversation, command.expected
    if expected is None:
        return
    offer_id = it.ownership.offer.offer_id if it.ownership.offer else None
    transfer_id = it.ownership.transfer.transfer_id if it.ownership.transfer else None
    if expected.offer_id not in (None, offer_id) or expected.transfer_id not in (None, transfer_id):
        raise errors.CommandStale(offer_id=offer_id, transfer_id=transfer_id)
    if not isinstance(command, ACCEPTING) and expected.packet_id not in (None, it.packet.id):
        raise errors.CommandStale(packet_id=it.packet.id)


def _decide_on_conversation(  # noqa: C901  one line per command
    decision: Decision, agent_id: events.AgentId, command: ConversationCommand
) -> None:
    seen = command.expected.packet_id if command.expected else None
    match command:
        case AcceptOffer():
            offers.accept_offer(decision, agent_id, command.offer_id, seen)
        case RejectOffer():
            offers.reject_offer(decision, agent_id, command.offer_id, command.reason)
        case Transfer():
            transfers.request_transfer(decision, agent_id, command)
        case AcceptTransfer():
            transfers.accept_transfer(decision, agent_id, command.transfer_id, seen)
        case RejectTransfer():
            transfers.reject_transfer(decision, agent_id, command.transfer_id, command.reason)
        case CancelTransfer():
            transfers.cancel_transfer(decision, agent_id, command.transfer_id)
        case RecordFact():
            value = check_text(command.value)
            facts.state_fact(
                decision, command.fact, value, origin="agent", contact_id=command.contact_id
            )
        case CorrectFact():
            facts.correct_fact(decision, command.fact_id, command.value, command.contact_id)
        case MakePromise():
            work.make_promise(decision, agent_id, command)
        case KeepPromise():
            work.keep_promise(decision, agent_id, command.promise_id)
        case AttemptCallback():
            work.attempt_callback(decision, agent_id, command)
        case CloseCallback():
            work.close_callback(decision, agent_id, command)
        case SendMessage():
            work.send_message(decision, agent_id, command)
        case WrapUp():
            work.wrap_up(decision, agent_id, command)
        case Resolve():
            work.resolve(decision, agent_id, command.confirmed_by_customer)
        case _:
            raise errors.CommandUnknown(command=command.verb)


def decide_timer(case: Case, kind: str, event_id: str, stamp: Stamp) -> list[events.AnyEvent]:
    """Return what a fired timer changes; [] when what it asks about is no longer due."""
    decision = Decision(case, stamp)
    if decision.conversation.id is None or decision.conversation.resolved:
        return []
    if kind == OFFER_EXPIRY:
        offers.expire_offer(decision, events.OfferId(event_id))
    elif kind == TRANSFER_EXPIRY:
        transfers.expire_transfer(decision, events.TransferId(event_id))
    return decision.events


def decide_offer(case: Case, stamp: Stamp) -> list[events.AnyEvent]:
    """Return the offer that the dispatcher makes for a waiting conversation; [] when nobody is free."""
    decision = Decision(case, stamp)
    offers.make_offer(decision)
    ensure_packets(case.conversation.packet.id, decision.events)
    return decision.events
