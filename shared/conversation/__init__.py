"""A conversation and its fold."""

from __future__ import annotations

from shared.conversation.fold import FOLD_VERSION, evolve, fold
from shared.conversation.ownership import target_name
from shared.conversation.state import (
    NEW_CONVERSATION,
    Callback,
    Contact,
    Conversation,
    Offer,
    OpenTransfer,
    Promise,
    StatedFact,
)

__all__ = [
    "FOLD_VERSION",
    "NEW_CONVERSATION",
    "Callback",
    "Contact",
    "Conversation",
    "Offer",
    "OpenTransfer",
    "Promise",
    "StatedFact",
    "evolve",
    "fold",
    "target_name",
]
