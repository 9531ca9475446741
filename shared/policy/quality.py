"""How contacts may end, how many of them are looked at, and when somebody looks at how a matter went."""

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


class Discontent(Strict, frozen=True, kw_only=True):
    """After what a matter is looked at that came to its end: nobody complains who leaves without a word.

    `signs`: with so many of these the supervisor of its queue is told, once: a promise was broken; she waited live past
    the last limit; she had to tell a fact again after a hand-over; she was handed on more than `hand_overs` times.
    """

    signs: Annotated[int, Meta(ge=1, le=4)] = 2
    hand_overs: Annotated[int, Meta(ge=0, le=100)] = 2
