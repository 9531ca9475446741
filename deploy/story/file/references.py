"""What stands for something else in a story: `$name` for a saved value, `+2h` for an instant."""

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any

from deploy.story.errors import StepFailed
from deploy.story.file.durations import seconds

_REFERENCE = re.compile(r"\$([a-z][a-z0-9_]*)")
_RELATIVE = re.compile(r"([+-])(\d+(?:\.\d+)?(?:ms|s|m|h|d))\Z")
RUN_CHARACTERS = 16


def run_token(story: str, seed: int) -> str:
    """Return what `$run` stands for: 16 hexadecimal digits, the same for the same story and seed."""
    return hashlib.sha256(f"{story}/{seed}".encode()).hexdigest()[:RUN_CHARACTERS]


def built_in(story: str, seed: int, now: datetime) -> dict[str, Any]:
    """Return the references that every story has."""
    seconds = int(now.timestamp())
    return {
        "run": run_token(story, seed),
        "date": format_datetime(now),
        "seconds": seconds,
        "milliseconds": 1_000 * seconds,
    }


def filled_in(value: Any, known: Mapping[str, Any]) -> Any:
    """Return `value` with every `$name` replaced; a text of a single reference takes the type of the value.

    Raises: StepFailed (`step.reference_unknown`).
    """
    match value:
        case str():
            return _fill_text(value, known)
        case dict():
            return {key: filled_in(each, known) for key, each in value.items()}
        case list():
            return [filled_in(each, known) for each in value]
        case _:
            return value


def _fill_text(text: str, known: Mapping[str, Any]) -> Any:
    whole = _REFERENCE.fullmatch(text)
    if whole is not None:
        return _look_up(whole[1], known)
    return _REFERENCE.sub(lambda found: str(_look_up(found[1], known)), text)


def _look_up(name: str, known: Mapping[str, Any]) -> Any:
    if name not in known:
        raise StepFailed(
            "step.reference_unknown",
            f"nothing was saved as ${name}",
            wanted=name,
            got=sorted(known),
        )
    return known[name]


def with_instants(value: Any, now: datetime) -> Any:
    """Return `value` with every relative time in it (`+2h`, `-25h`) as an RFC 3339 instant."""
    match value:
        case str():
            found = _RELATIVE.match(value)
            if found is None:
                return value
            away = timedelta(seconds=seconds(found[2]))
            return (now + away if found[1] == "+" else now - away).isoformat()
        case dict():
            return {key: with_instants(each, now) for key, each in value.items()}
        case list():
            return [with_instants(each, now) for each in value]
        case _:
            return value


def at_path(value: Any, path: str) -> Any:
    """Return what a path such as `events.0.open.fact_id` leads to.

    Raises: StepFailed (`step.save_path`).
    """
    found = value
    for part in path.split("."):
        try:
            found = found[int(part)] if isinstance(found, list) else found[part]
        except (KeyError, IndexError, ValueError, TypeError):
            raise StepFailed(
                "step.save_path", f"the answer has nothing at {path}", wanted=path, got=value
            ) from None
    return found
