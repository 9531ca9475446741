"""The controls: what each fault would have done to a system that does not stand it.

The damage is done to the observation of exactly that fault, and the checker must refuse what it made, naming the fault.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from shared import mail_reference
from shared.events import MessageRequested, MessageSent
from shared.ledger import Recorded
from tests.faults.observed import Done, Observed
from tests.faults.traffic import marker_in

Damage = Callable[[Observed, Done], Observed]


@dataclass(frozen=True, slots=True)
class Control:
    """`breaks`: the invariant; `damage`: the run as it would have been."""

    breaks: str
    damage: Damage


def _window(observed: Observed, done: Done) -> Callable[[datetime], bool]:
    """Return whether a moment lies between a fault and the next one."""
    later = [each.began for each in observed.done if each.began > done.began]
    return lambda moment: done.began <= moment and not (later and later[0] <= moment)


def _words_after(observed: Observed, done: Done) -> Iterator[tuple[Recorded, str]]:
    """Yield what customers said after a fault, and its marker."""
    inside = _window(observed, done)
    for each, text in observed.words():
        if inside(each.event.recorded) and inside(observed.acknowledged[marker_in(text)]):
            yield each, marker_in(text)


def _lost(observed: Observed, done: Done) -> Observed:
    """A delivery that was acknowledged does not stand in the ledger."""
    gone, _ = next(_words_after(observed, done))
    return replace(observed, recorded=[each for each in observed.recorded if each is not gone])


def _twice(observed: Observed, done: Done) -> Observed:
    """A delivery whose append was not answered was decided again."""
    again, _ = next(_words_after(observed, done))
    return replace(observed, recorded=[*observed.recorded, again])


def _unshown(observed: Observed, done: Done) -> Observed:
    """The checkpoint moved without its rows."""
    missing, _ = next(_words_after(observed, done))
    name = str(missing.event.conversation)
    left = [each for each in observed.timelines[name] if each != missing.sequence]
    return replace(observed, timelines={**observed.timelines, name: left})


def _halted(observed: Observed, done: Done) -> Observed:
    """The projection stands still before what came then."""
    first, _ = next(_words_after(observed, done))
    return replace(observed, position=first.sequence - 1)


def _mailed_twice(observed: Observed, done: Done) -> Observed:
    """A mail of which nobody knows whether it was sent was sent again."""
    inside = _window(observed, done)
    asked = {
        each.event.open.message_id
        for each in observed.readable()
        if isinstance(each.event, MessageRequested) and inside(each.event.recorded)
    }
    read = {mail.message_id: mail_reference.read(mail.message_id) for mail in observed.mails}
    again = next(
        mail
        for mail in observed.mails
        if (reference := read[mail.message_id]) and reference.message in asked
    )
    return replace(observed, mails=[*observed.mails, again])


def _unsent(observed: Observed, done: Done) -> Observed:
    """Nobody reads what agents ask for."""
    inside = _window(observed, done)

    def silent(each: Recorded) -> bool:
        return isinstance(each.event, MessageSent) and inside(each.event.recorded)

    return replace(observed, recorded=[each for each in observed.recorded if not silent(each)])


def _delayed(observed: Observed, done: Done) -> Observed:
    """A contact waits for the end of the fault, and beyond."""
    late = [
        replace(each, seconds=None) if each.what.startswith(done.fault) else each
        for each in observed.recoveries
    ]
    return replace(observed, recoveries=late)


LOST = Control("I1", _lost)
TWICE = Control("I2", _twice)
UNSHOWN = Control("I4", _unshown)
HALTED = Control("I6", _halted)
MAILED_TWICE = Control("I9", _mailed_twice)
UNSENT = Control("I9", _unsent)
DELAYED = Control("I10", _delayed)
