"""A conversation and its fold."""

from __future__ import annotations

from shared.conversation.contacts import Contact
from shared.conversation.fold import FOLD_VERSION, evolve, fold
from shared.conversation.matter import Callback, Promise, StatedFact
from shared.conversation.ownership import HopTaken, Offer, OpenTransfer, target_name
from shared.conversation.state import NEW_CONVERSATION, Conversation

__all__ = [
    "FOLD_VERSION",
    "NEW_CONVERSATION",
    "Callback",
    "Contact",
    "Conversation",
    "HopTaken",
    "Offer",
    "OpenTransfer",
    "Promise",
    "StatedFact",
    "evolve",
    "fold",
    "target_name",
]
