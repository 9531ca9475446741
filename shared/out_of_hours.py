"""The part of a policy that says what a customer is told who writes while nobody is there. Pure."""

import re
from collections.abc import Container, Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from shared import events
from shared.automatic_words import AutomaticWords
from shared.calendars import Calendar

ANSWER_BY, OPENS = "{answer_by}", "{opens}"
_PLACES = re.compile(r"\{[^{}]*\}")


class OutOfHours(AutomaticWords, frozen=True, kw_only=True):
    """What a customer is told, once in a conversation for each time that it is closed.

    `texts`: in the shop's own words, by language; the first one is for whoever's language is not known or not there.
    `{answer_by}` stands for when a person will have answered, which is a promise, and `{opens}` for when somebody is
    there again, both in the calendar's zone; `media`: of which messages; `by`: the account of e-mail that writes,
    `email/<name>`, where that which the message came to cannot.
    """

    media: tuple[events.Medium, ...] = ("chat", "message", "mail")
    by: str | None = None

    def promise(
        self, language: str | None, calendar: Calendar, *, opens: datetime, answer_by: datetime
    ) -> str:
        """Return the text for a language (BCP 47), with its times."""
        named = {ANSWER_BY: in_words(answer_by, calendar), OPENS: in_words(opens, calendar)}
        return _PLACES.sub(lambda found: named.get(found[0], found[0]), self.text(language))


def in_words(at: datetime, calendar: Calendar) -> str:
    """Return an instant as no reader can take it for another one: `2026-12-02 08:15 CET`."""
    return f"{at.astimezone(ZoneInfo(calendar.zone)):%Y-%m-%d %H:%M %Z}"


def complaints(answer: OutOfHours | None, writers: Container[str]) -> Iterator[str]:
    """Yield what cannot be so. `writers`: the accounts of e-mail with an address."""
    if answer is None:
        return
    for language, text in answer.texts.items():
        if ANSWER_BY not in text:
            yield f"out_of_hours: {language}: it does not say {ANSWER_BY}"
        unknown = set(_PLACES.findall(text)) - {ANSWER_BY, OPENS}
        if unknown:
            yield f"out_of_hours: {language}: nothing stands for {', '.join(sorted(unknown))}"
    if answer.by is not None and answer.by not in writers:
        yield f"out_of_hours: {answer.by} is no account of e-mail with an address"
