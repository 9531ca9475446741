"""A contact that was taken for review is scored."""

from typing import Annotated

from msgspec import Meta

from shared import events
from shared.commands.base import ID, Command, ConversationCommand, FactName, ShortText

Score = Annotated[int, Meta(ge=0, le=100)]


class ScoreReview(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The supervisor of the contact's queue scores it, also when the matter is resolved.

    `card`: 0 to 100 by criterion, those of the policy where it lists any.
    """

    verb = "score_review"
    review_id: Annotated[events.ReviewId, ID]
    card: Annotated[dict[FactName, Score], Meta(min_length=1, max_length=16)]
    finding: ShortText


REVIEW_COMMANDS: tuple[type[Command], ...] = (ScoreReview,)
