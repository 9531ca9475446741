"""A conversation and its fold."""

from shared.conversation.contacts import Contact
from shared.conversation.fold import FOLD_VERSION, evolve, evolve_parts, fold
from shared.conversation.handling import Handling, Snooze
from shared.conversation.last_escalation import LastEscalation
from shared.conversation.levels import Clock, ServiceLevels, answers
from shared.conversation.live_wait import LiveWait
from shared.conversation.matter import Callback, StatedFact
from shared.conversation.needs import Needs
from shared.conversation.ownership import Offer, OpenTransfer, TakenHop, lets_go, target_name
from shared.conversation.promises import Promise
from shared.conversation.reviews import Review
from shared.conversation.satisfaction import Question
from shared.conversation.state import NEW_CONVERSATION, Conversation

__all__ = [
    "FOLD_VERSION",
    "NEW_CONVERSATION",
    "Callback",
    "Clock",
    "Contact",
    "Conversation",
    "Handling",
    "LastEscalation",
    "LiveWait",
    "Needs",
    "Offer",
    "OpenTransfer",
    "Promise",
    "Question",
    "Review",
    "ServiceLevels",
    "Snooze",
    "StatedFact",
    "TakenHop",
    "answers",
    "evolve",
    "evolve_parts",
    "fold",
    "lets_go",
    "target_name",
]
