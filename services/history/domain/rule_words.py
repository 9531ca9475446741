"""What rules and reasons mean, in words: every one that the router writes, by the word that stands in its events.

A word stays here for ever, since the ledger has it for ever. `tests/architecture/test_rules.py` finds those without.
"""

from collections.abc import Mapping
from string import digits

RULES: Mapping[str, str] = {
    "join.reference": "it is part of that contact, or answers what was written there",
    "join.order_or_parcel": "it names an order or parcel that this open matter of hers alone holds",
    "join.owed_call": "she is owed a call in this matter",
    "join.feedback": "it is a number, and answers the question how it was",
    "join.only_active": "it is her only matter in which anything happened lately",
    "join.several_active": "several of her matters were active, and nothing said which one is meant",
    "join.none_open": "she had no open matter in which anything happened lately",
    "join.imported": "each talk of an exported history is a matter of its own",
    "entry.account": "the account where it came in names this queue",
    "entry.topic": "the account where it came in names this queue for the form's topic",
    "entry.menu": "what she pressed asks for somebody who can do it; she waits on where she is",
    "entry.agent": "the agent who recorded it takes work of this queue",
    "rule.": "the automatic rule of this name wants it there, or sooner",
    "entry.fallback": "the policy has no account where it came in, so it is the policy's first queue",
    "lost.unreachable": "no number of hers is known: nobody can call back, and somebody looks at it",
    "dispatch.longest_idle": "of those who had room she was passed over least, then had least, then was idle longest",
    "out_of_hours": "she wrote while nobody was there",
    "overload.answer": "she had to wait for a decision because many wrote",
    "wait.offer": "whoever waits in a chat was told that she need not stay",
    "wait.limit": "whoever is on the line, or in a chat, waits, or has waited for so long",
    "dispatch.last_agent": "she had this customer last, and is preferred to who was idle longer",
    "dispatch.relaxed_": "the wait had come to the step of this number, from which on less is asked for",
    "dispatch.overflow_": "the wait had come to the step of this number, by which another queue's agents are asked",
    "dispatch": "the dispatcher asks somebody for whatever waits",
    "return": "the dispatcher looks after whatever belongs to somebody who is gone",
    "return.owner_gone": "the owner is not there any more, and nothing is to wait for her",
    "supervisor.take_over": "the supervisor of this matter's queue took it",
    "supervisor.assign": "the supervisor of this matter's queue gave it to somebody",
    "service_level.": "the policy's service level of this name is the first that fits",
    "feedback": "the policy asks how it was after a contact",
    "discontent": "the customer met with so much that somebody is to look at it",
    "feedback_due": "the time has come to ask how it was",
    "review.percent": "it is one of the contacts in a hundred that are looked at",
    "escalate.next_line": "the policy names this line for what the queue cannot answer",
    "escalation_due": "the time has come by which the next line was to answer",
    "overload": "contacts came faster than they were decided",
    "offer_expiry": "the time to answer the offer is over",
    "transfer_expiry": "the time to accept the transfer, or to say what came of it outside, is over",
    "promise_due_soon": "the promised time is near",
    "promise_due": "the promised time has come",
    "callback_due": "the time has come by which she was to be called",
    "wait_exceeded": "the wait of whoever is on the line, or in a chat, passes a limit",
    "sla_warning": "most of the time in which she is to be answered has passed",
    "sla_due": "the time in which she was to be answered is over",
    "snooze_over": "the time until which its owner had put it aside is over",
    "message_undelivered": "nobody says that the message has reached her",
}

REASONS: Mapping[str, str] = {
    "away": "she made a pause",
    "busy": "all her slots were taken, or she works on it already",
    "skill_missing": "she cannot do what was asked for, or not well enough",
    "language_missing": "she does not speak the customer's language",
    "medium_full": "she has as much of this medium as she takes at once",
    "sticky_elsewhere": "somebody else had this customer last, who was asked or waited for",
    "passed_over_just_now": "she refused it or let it pass a moment ago",
    "more_work": "she had room, and others had less to do",
    "idle_shorter": "she was free, and others waited longer for work",
    "signed_out": "she was not signed in",
    "not_in_policy": "the policy has no such agent any more",
    "abandoned": "the customer hung up while she waited",
    "missed": "the call was never connected",
    "requested": "she asked to be called back rather than wait on the line",
    "voicemail": "she spoke on the machine, and nobody talked with her",
    "after_hours": "it came while nobody was there",
    "transfer_failed": "an agent had her, and whoever it was handed on to did not take her",
    "answered": "she wrote since, and was answered",
    "claimed_handle": "a handle of hers was given, and nothing proves that it is hers",
    "shared_handle": "a handle was given that several people have",
    "order_or_parcel": "an order or parcel of hers was named",
}


def in_words(known: Mapping[str, str], word: str | None) -> str | None:
    """Return what a word means; `None` for none, and for one that this version does not know.

    One that ends in a number, or in a name of the policy's, is explained without it.
    """
    if word is None:
        return None
    kind, dot, _ = word.rpartition(".")
    return known.get(word) or known.get(word.rstrip(digits)) or known.get(kind + dot)
