"""Phone numbers as many providers write them: with the country's code, and no plus before it."""

import re

from shared import handles

INTERNATIONAL_DIGITS = 11
"""So many digits with the country's code have most numbers, and few have without."""


_BLANK = re.compile(r"\A([a-z]+:)? (?=[0-9])")


def with_plus(written: str | None) -> str:
    """Return a number as it was meant that came in a form: a plus that nobody has escaped there comes as a blank."""
    return _BLANK.sub(lambda found: f"{found[1] or ''}+", written or "")


def international(written: str, region: str | None) -> str | None:
    """Return a number in its normal form; `None` when it is none. `region`: whose numbers may lack their code."""
    number = written.strip()
    if not (number.isascii() and number.isdigit()) or number.startswith("0"):
        return handles.phone(number, region)
    with_code, without = (f"+{number}", None), (number, region)
    tries = [with_code, without] if len(number) >= INTERNATIONAL_DIGITS else [without, with_code]
    return next((found for each in tries if (found := handles.phone(*each))), None)
