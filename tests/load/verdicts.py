"""What must hold at the end of a day: each rule returns what breaks it, [] when nothing does."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from tests.faults.checking import violations
from tests.faults.observed import Observed
from tests.load.backlog import untold
from tests.load.minutes import MIB, Look
from tests.load.waiting import presence, unseen_seconds, waits

DECIDED_WITHIN_SECONDS = 120.0
"""After a burst everything is decided within two minutes."""
UNSEEN_SECONDS = 30.0
"""Nobody waits longer without that somebody who is there was asked or told. It fails beyond UNSEEN_MISSED_BY times."""
UNSEEN_MISSED_BY = 5.0
WARM_SECONDS = 10 * 60.0
"""What a program takes in the first ten minutes, and until half of the day's contacts have come, is what it needs to
work: caches fill, and the more come the more is under way."""
GROWTH_MAX = 0.10
GROWTH_LEAST_BYTES = 8 * MIB
"""Memory is flat when, of the time after that, the second half takes at most a tenth more than the first, or hardly
more."""
SERVERS_MAX_BYTES = {"nats": 512 * MIB, "postgres": 256 * MIB}
"""What a server may take: NATS keeps an entry for each subject, which every contact adds to (what we give it in
`deploy/k8s/overlays/dev`); a session of Postgres the plan of each statement it has met."""
MEMORY_LEAST_SECONDS = 20 * 60.0
"""So much of a day must be left when it is warm: a shorter one says nothing of memory."""


@dataclass
class Ended:
    """How a run ended.

    `looks`: those of the day; `half_came`: after how many seconds of it half of its contacts had come; `told`: when a
    notice was on a screen; `untaken`: what no door took; `busy`: consumers that still have something to do; `end`: when
    the ledger was read.
    """

    observed: Observed
    looks: Sequence[Look]
    told: Mapping[str, datetime]
    end: datetime
    half_came: float = 0.0
    untaken: Sequence[str] = ()
    busy: Sequence[str] = ()
    undecided: Sequence[str] = field(default_factory=list)


def verdicts(ended: Ended) -> list[str]:
    """Return everything that does not hold."""
    return [
        *(f"not taken: {each}" for each in ended.untaken),
        *(f"never decided: {each}" for each in ended.undecided),
        *(f"has something to do at the end: {each}" for each in ended.busy),
        *unseen(ended),
        *(
            f"undecided for {each.seconds:.0f} s, and nobody told that {each.lane} is behind: {each.marker}"
            for each in untold(ended.observed)
        ),
        *grown(ended.looks, ended.half_came),
        *violations(ended.observed),
    ]


def unseen(ended: Ended) -> list[str]:
    """Nobody waits in a queue without that somebody who is there knows."""
    recorded = ended.observed.readable()
    there = presence(recorded)
    found = []
    for wait in waits(recorded, ended.told):
        seconds = unseen_seconds(wait, there, ended.observed.policy, ended.end)
        if seconds > UNSEEN_MISSED_BY * UNSEEN_SECONDS:
            found.append(f"unseen for {seconds:.0f} s: {wait.conversation} in {wait.queue}")
    return found


def longest_unseen(ended: Ended) -> float:
    """Return the longest that anybody waited so, in seconds."""
    recorded = ended.observed.readable()
    there = presence(recorded)
    policy, end = ended.observed.policy, ended.end
    waited = waits(recorded, ended.told)
    return max((unseen_seconds(each, there, policy, end) for each in waited), default=0.0)


def halves(looks: Sequence[Look], half_came: float) -> dict[str, tuple[float, float]]:
    """Return by program the median of its memory, in bytes, in the halves of a day after it was warm.

    Of a day that ends before that, in the halves of all of it.
    """
    last, warm = _last(looks), max(WARM_SECONDS, half_came)
    first = warm if last > warm else 0.0
    middle = (first + last) / 2
    found = {}
    for name in sorted({name for each in looks for name in each.memory}):
        of = [(each.seconds, each.memory[name]) for each in looks if name in each.memory]
        before = [size for at, size in of if first <= at < middle]
        after = [size for at, size in of if at >= middle]
        if before and after:
            found[name] = statistics.median(before), statistics.median(after)
    return found


def _last(looks: Sequence[Look]) -> float:
    return max((each.seconds for each in looks), default=0.0)


def grown(looks: Sequence[Look], half_came: float) -> list[str]:
    """The memory of our programs is flat, and that of the servers below what they are given."""
    if _last(looks) < max(WARM_SECONDS, half_came) + MEMORY_LEAST_SECONDS - 60:
        return []
    return [
        f"the memory of {name} grows: {before / MIB:.0f} MiB, then {after / MIB:.0f} MiB"
        for name, (before, after) in halves(looks, half_came).items()
        if _too_much(name, before, after)
    ]


def _too_much(name: str, before: float, after: float) -> bool:
    if (given := SERVERS_MAX_BYTES.get(name)) is not None:
        return after > given
    return after > before * (1 + GROWTH_MAX) and after - before > GROWTH_LEAST_BYTES
