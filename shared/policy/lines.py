"""The lines of a queue: who answers what it cannot."""

from typing import Annotated

from msgspec import Meta

from shared.strict import Name, Seconds, Strict
from shared.texts import Language, Text

LINE_WORDS = ("line", "by")
"""What may stand in a text in braces: the title of the next line, and the time by which it answers."""


class NextLine(Strict, frozen=True, kw_only=True):
    """Where goes what a queue cannot answer.

    `queue`: that takes over; `within_seconds`: of its open hours it has for an answer; `texts`: what the customer is
    told then, where she wrote last, in the shop's own words by language, the first one for whoever's language is not
    known or not there: `{line}` stands for the title of the queue, `{by}` for the time. Without it she is told nothing.
    """

    queue: Name
    within_seconds: Seconds = 900.0
    texts: Annotated[dict[Language, Text], Meta(max_length=64)] = {}
