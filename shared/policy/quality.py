"""How contacts may end, and how many of them are looked at."""

from typing import Annotated

from msgspec import Meta

from shared.strict import Name, Strict


class Disposition(Strict, frozen=True, kw_only=True):
    """A way in which a contact may end. `next_step`: whoever says so says what comes next."""

    next_step: bool = False


class Reviews(Strict, frozen=True, kw_only=True):
    """Which completed contacts a supervisor is to look at.

    `percent`: of the contacts of queues that have a supervisor, chosen by their ids alone; `criteria`: those of a score
    card, any where none is listed.
    """

    percent: Annotated[float, Meta(ge=0, le=100)]
    criteria: tuple[Name, ...] = ()
