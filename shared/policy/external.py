"""Whom agents may ask outside: a carrier, a warehouse that somebody else runs."""

from shared.strict import Seconds, Strict


class ExternalNumber(Strict, frozen=True, kw_only=True):
    """Somebody who is called and takes no work here.

    `title`: as agents read it; `number`: as it is dialled, E.164; `within_seconds`: so long the agent who asks them has
    to say what came of it; then it comes back to her, or to her queue.
    """

    title: str
    number: str
    within_seconds: Seconds = 900.0
