"""Commands and timers: which rule answers which. The table of contents of the router's decisions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from services.router.domain import (
    agreements,
    announcing,
    callbacks,
    confirm,
    counter,
    due,
    ending,
    escalating,
    facts,
    feedback,
    labels,
    moving,
    offers,
    out_of_hours,
    parking,
    people,
    presence,
    promises,
    registering,
    reopening,
    reviews,
    service_levels,
    snooze,
    supervising,
    transfers,
    undelivered,
    waiting,
    writing,
)
from services.router.domain.by_rule import act_by_rules
from services.router.domain.decision import Decision, Loaded, Origin, goes_on
from services.router.domain.handover import ensure_packets
from shared import commands, errors, events, requests, timers


@dataclass(frozen=True, slots=True)
class Rule:
    """How one command is answered.

    Attributes:
        decide: decides the events; raises the refusal. What it finds already so it decides nothing about.
        who: may give it: `anyone`, an `agent` of the policy, the `owner` of the conversation, or the `supervisor` of a
            queue of its (see `supervising`).
        after_the_end: a resolved conversation takes it too.
        packet_of: which packet `expected.packet_id` is compared with: the last one of the `conversation`, or the
            one of the `offer` that it answers, which its decision compares.
    """

    decide: Callable[[Decision, Any], None]
    who: Literal["anyone", "agent", "owner", "supervisor"] = "agent"
    after_the_end: bool = False
    packet_of: Literal["conversation", "offer"] = "conversation"


RULES: Mapping[type[commands.Command], Rule] = {
    commands.RegisterCustomer: Rule(registering.register_customer, who="anyone"),
    commands.SignIn: Rule(people.sign_in),
    commands.SetStatus: Rule(people.set_status),
    commands.AcceptOffer: Rule(offers.accept_offer, packet_of="offer"),
    commands.RejectOffer: Rule(offers.reject_offer),
    commands.ConfirmCustomer: Rule(confirm.confirm_customer, who="owner"),
    commands.RecordContact: Rule(counter.record_contact),
    commands.Announce: Rule(announcing.announce, who="anyone"),
    commands.WithdrawAnnouncement: Rule(announcing.withdraw, who="anyone"),
    commands.RecordFact: Rule(facts.record_fact),
    commands.CorrectFact: Rule(facts.correct_fact),
    commands.MakePromise: Rule(promises.make_promise),
    commands.KeepPromise: Rule(promises.keep_promise, after_the_end=True),
    commands.RenegotiatePromise: Rule(promises.renegotiate_promise, after_the_end=True),
    commands.WithdrawPromise: Rule(promises.withdraw_promise, after_the_end=True),
    commands.RecordAgreement: Rule(agreements.record_agreement, after_the_end=True),
    commands.RecordApology: Rule(agreements.record_apology, after_the_end=True),
    commands.OfferCompensation: Rule(agreements.offer_compensation, after_the_end=True),
    commands.AddNote: Rule(agreements.add_note, after_the_end=True),
    commands.Transfer: Rule(transfers.request_transfer, who="owner"),
    commands.AcceptTransfer: Rule(transfers.accept_transfer, packet_of="offer"),
    commands.RejectTransfer: Rule(transfers.reject_transfer),
    commands.CancelTransfer: Rule(transfers.cancel_transfer),
    commands.CompleteTransfer: Rule(transfers.complete_transfer, who="owner"),
    commands.TakeOver: Rule(supervising.take_over, who="supervisor"),
    commands.Assign: Rule(supervising.assign, who="supervisor"),
    commands.Escalate: Rule(escalating.escalate, who="owner"),
    commands.SendMessage: Rule(writing.send_message, who="owner"),
    commands.AttemptCallback: Rule(callbacks.attempt_callback),
    commands.CloseCallback: Rule(callbacks.close_callback),
    commands.WrapUp: Rule(ending.wrap_up),
    commands.LabelConversation: Rule(labels.label, after_the_end=True),
    commands.Snooze: Rule(snooze.snooze, who="owner"),
    commands.Wake: Rule(snooze.wake, who="owner"),
    commands.SwitchChannel: Rule(moving.switch_channel, who="owner"),
    commands.Resolve: Rule(ending.resolve, who="owner"),
    commands.Reopen: Rule(reopening.reopen, after_the_end=True),
    commands.ScoreReview: Rule(reviews.score, after_the_end=True),
    commands.ParkWork: Rule(parking.park_work, who="anyone"),
    commands.RetryParked: Rule(parking.retry_parked, who="anyone"),
    commands.SkipParked: Rule(parking.skip_parked, who="anyone"),
    commands.RejectEntry: Rule(parking.reject_entry, who="anyone"),
}
"""One row per command that the router serves."""

TIMERS: Mapping[str, Callable[[Decision, str], None]] = {
    timers.OFFER_EXPIRY.name: offers.expire_offer,
    timers.TRANSFER_EXPIRY.name: transfers.expire_transfer,
    timers.PROMISE_DUE_SOON.name: due.promise_is_due_soon,
    timers.PROMISE_DUE.name: due.promise_is_due,
    timers.CALLBACK_DUE.name: due.callback_is_due,
    timers.WAIT_EXCEEDED.name: waiting.wait_goes_on,
    timers.SLA_WARNING.name: service_levels.warn,
    timers.SLA_DUE.name: service_levels.breach,
    timers.ESCALATION_DUE.name: due.escalation_is_due,
    timers.MESSAGE_UNDELIVERED.name: undelivered.send_another_way,
    timers.SNOOZE_OVER.name: snooze.snooze_is_over,
    timers.FEEDBACK_DUE.name: feedback.feedback_is_due,
}
"""One row per kind of timer that the router reads: what it decides about the id in the timer."""


def decide(loaded: Loaded, command: commands.Command, origin: Origin) -> list[events.AnyEvent]:
    """Return the events of a command; `command.noted` alone when the command changes nothing.

    Raises: TellonceError with the code that says why not.
    """
    rule, decision = RULES[type(command)], Decision(loaded, origin)
    if rule.who != "anyone":
        requests.agent_of(origin.policy, command.actor)
    if isinstance(command, commands.ConversationCommand):
        _check_conversation(decision, command, rule)
    rule.decide(decision, command)
    waiting.start_wait(decision)
    service_levels.note_answer(decision)
    out_of_hours.keep_answer(decision)
    act_by_rules(decision)
    if not decision.events:
        _note(decision, command)
    ensure_packets(loaded.conversation.packet.id, decision.events)
    return decision.events


def decide_timer(loaded: Loaded, kind: str, asked: str, origin: Origin) -> list[events.AnyEvent]:
    """Return the events of a fired timer; [] when the subject of the timer is no longer due.

    Raises: TimerKindUnknown for a kind of a newer version, which waits for a reader that knows it.
    """
    if kind not in TIMERS:
        raise errors.TimerKindUnknown(kind=kind)
    decision = Decision(loaded, origin)
    if decision.conversation.id is not None:
        TIMERS[kind](decision, asked)
        waiting.start_wait(decision)
    act_by_rules(decision)
    return decision.events


def decide_offer(loaded: Loaded, origin: Origin) -> list[events.AnyEvent]:
    """Return the offer that the dispatcher makes for a waiting conversation; [] when nobody is free."""
    decision = Decision(loaded, origin)
    offers.make_offer(decision)
    act_by_rules(decision)
    ensure_packets(loaded.conversation.packet.id, decision.events)
    return decision.events


def decide_return(loaded: Loaded, origin: Origin) -> list[events.AnyEvent]:
    """Return what takes a matter from whoever owns it, or is asked to take it, and is not there any more; else []."""
    decision = Decision(loaded, origin)
    transfers.end_outside(decision)
    presence.return_matter(decision)
    transfers.withdraw_offer(decision)
    waiting.start_wait(decision)
    act_by_rules(decision)
    ensure_packets(loaded.conversation.packet.id, decision.events)
    return decision.events


def _note(decision: Decision, command: commands.Command) -> None:
    """A command is remembered by its events: one without any would be decided anew when it is repeated."""
    noted = events.CommandNotedOpen(command=command.verb)
    if isinstance(command, commands.ConversationCommand):
        decision.on_conversation(events.CommandNoted, noted)
    else:
        decision.on_agent(events.CommandNoted, decision.by, noted)


def _check_conversation(
    decision: Decision, command: commands.ConversationCommand, rule: Rule
) -> None:
    """Raises: ConversationUnknown, ConversationResolved, ConversationNotOwned, ConversationNotSupervised,
    ContactUnknown, CommandStale.
    """
    conversation = decision.conversation
    if conversation.id is None:
        raise errors.ConversationUnknown()
    if conversation.resolved and not rule.after_the_end:
        raise errors.ConversationResolved(**goes_on(conversation))
    if rule.who == "owner" and conversation.ownership.owner != decision.by:
        raise errors.ConversationNotOwned()
    if rule.who == "supervisor" and supervising.supervised_queue(decision) is None:
        raise errors.ConversationNotSupervised()
    contact_id = getattr(command, "contact_id", None)
    if contact_id is not None and contact_id not in conversation.contacts.by_id:
        raise errors.ContactUnknown(contact_id=contact_id)
    _check_expected(decision, command, rule)


def _check_expected(decision: Decision, command: commands.ConversationCommand, rule: Rule) -> None:
    """Raises: CommandStale when the caller saw another offer, transfer or packet than the current one, or less said."""
    expected, packet_id = command.expected, decision.conversation.packet.id
    if expected is None:
        return
    heard = decision.conversation.heard
    if expected.sequence is not None and expected.sequence < heard:
        raise errors.CommandStale(sequence=heard)
    ownership = decision.conversation.ownership
    offer_id = ownership.offer.offer_id if ownership.offer else None
    transfer_id = ownership.transfer.transfer_id if ownership.transfer else None
    if expected.offer_id not in (None, offer_id) or expected.transfer_id not in (None, transfer_id):
        raise errors.CommandStale(offer_id=offer_id, transfer_id=transfer_id)
    if rule.packet_of == "conversation" and expected.packet_id not in (None, packet_id):
        raise errors.CommandStale(packet_id=packet_id)
