"""How long something lasts, as a story writes it."""

import re

Duration = str | int | float
"""Seconds as a number, or with a unit: `500ms`, `3s`, `2m`, `1h`."""

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)\Z")
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def seconds(duration: Duration) -> float:
    """Return a duration in seconds. Raises ValueError for anything else."""
    if isinstance(duration, str):
        found = _DURATION.match(duration)
        if found is None:
            raise ValueError(f"not a duration such as 500ms, 3s, 2m or 1h: {duration}")
        return float(found[1]) * _UNIT_SECONDS[found[2]]
    return float(duration)
