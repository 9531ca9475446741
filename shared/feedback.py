"""The part of a policy that says which question a customer is asked after a contact, and what answers it. Pure."""

import re
from typing import Annotated

from msgspec import Meta

from shared import events
from shared.automatic_words import AutomaticWords
from shared.strict import Seconds

BEST = 5
Score = Annotated[int, Meta(ge=1, le=BEST)]
Word = Annotated[str, Meta(min_length=1, max_length=32)]
_AROUND = " .,!:;*\"'()"
_OF_FIVE = re.compile(rf"([1-{BEST}])(?:\s*/\s*{BEST})?")


class Feedback(AutomaticWords, frozen=True, kw_only=True):
    """One short question after a contact, how it was from 1 to 5, where she wrote.

    `texts`: the question, in the shop's own words by language; the first one is for whoever's language is not known or
    not there; `media`: after contacts of which it is asked; `after_seconds`: so long after a contact is completed;
    `percent`: of the contacts, chosen by their ids alone; `quiet_days`: so long the same person is not asked again;
    `answer_seconds`: so long a message that is nothing but a number answers it; `words`: what else is a number, in
    small letters: `{five: 5}`; `low`: an answer of at most so much is told to the supervisor.
    """

    media: tuple[events.Medium, ...] = ("chat", "message", "mail")
    after_seconds: Seconds = 60.0
    percent: Annotated[float, Meta(ge=0, le=100)] = 100.0
    quiet_days: Annotated[float, Meta(ge=0, le=366)] = 30.0
    answer_seconds: Seconds = 259_200.0
    words: Annotated[dict[Word, Score], Meta(max_length=256)] = {}
    low: Score = 2

    def score(self, text: str) -> int | None:
        """Return the number that a text is; `None` for any other text."""
        said = " ".join(text.split()).strip(_AROUND).lower()
        number = _OF_FIVE.fullmatch(said)
        return int(number[1]) if number else self.words.get(said)
