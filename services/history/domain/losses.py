"""How many contacts that nobody took have which fate. Pure."""

from collections.abc import Sequence
from statistics import median

from shared.queries import MissedCounts, MissedLine


def counts(lines: Sequence[MissedLine]) -> MissedCounts:
    """Return how many contacts have which fate, how many were reached in time, and how soon."""
    fates = [each.fate for each in lines]
    reached = [each for each in lines if each.fate == "reached"]
    in_time = sum(each.in_time for each in reached)
    known = len(lines) - fates.count("unreachable")
    took = [(each.settled - each.lost).total_seconds() for each in reached if each.settled]
    return MissedCounts(
        lost=len(lines),
        reached=len(reached),
        answered=fates.count("answered"),
        closed=fates.count("closed"),
        open=fates.count("open"),
        unreachable=fates.count("unreachable"),
        unaccounted=fates.count("unaccounted"),
        reached_in_time=in_time,
        recovery=in_time / known if known else None,
        reach_seconds=median(took) if took else None,
    )
