"""What a story's people say and are called: none of it may stand in a log."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
NUMBER = re.compile(r"(?<![\w.-])\+?(\d{9,15})(?![\w.-])")
PARCEL = re.compile(r"(?<!\d)\d{24}(?!\d)")
NAMES = re.compile(
    r"(first_?|last_?|full_?|sender_?|profile_?|caller_?)?name\Z|salutation\Z", re.IGNORECASE
)
A_NAME = re.compile(r"[^\W\d_][^\W\d_]+( [^\W\d_]+)*\Z")
TOLD = ("body", "with", "import", "steps", "together", "file")
"""The parts of a step that hold what people and providers say; the others are what is expected of the house."""
WORDS_TOGETHER = 3
"""So many words in a row are somebody's own."""


def personal_in(story: Path) -> set[str]:
    """Return the names, addresses, numbers and runs of words that a story's people bring."""
    told = yaml.safe_load(story.read_bytes())
    policy = json.dumps(told.get("policy", {}))
    house = {*ADDRESS.findall(policy), *NUMBER.findall(policy)}
    found = set[str]()
    for step in told["steps"]:
        for key, text in _leaves(step, story.parent):
            found |= _personal(key, text)
    return found - house - _house()


def _house() -> set[str]:
    """Return what the embedded policy names itself: our own addresses and numbers."""
    text = (Path(__file__).parents[2] / "deploy" / "embedded" / "policy.yaml").read_text("utf-8")
    return {*ADDRESS.findall(text), *NUMBER.findall(text)}


def _leaves(step: Any, folder: Path, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield the texts and numbers below what a step tells, each with its key."""
    if isinstance(step, dict):
        for name, below in step.items():
            if key or name in TOLD:
                yield from _leaves(below, folder, str(name))
    elif isinstance(step, list):
        for below in step:
            yield from _leaves(below, folder, key if key not in {"steps", "together"} else "")
    elif key == "file":
        yield key, (folder / str(step)).read_text("utf-8", errors="replace")
    elif step is not None:
        yield key, str(step)


def _personal(key: str, text: str) -> set[str]:
    """Return what is personal in a text."""
    found = {*ADDRESS.findall(text), *NUMBER.findall(text), *PARCEL.findall(text)}
    if NAMES.match(key) and A_NAME.match(text) and not text.islower():
        found.add(text)
    for line in text.splitlines():
        words = line.split()
        runs = (words[k : k + WORDS_TOGETHER] for k in range(len(words) - WORDS_TOGETHER + 1))
        found |= {" ".join(run) for run in runs if all(word.isprintable() for word in run)}
    return found


def told_in(logs: Path, personal: set[str]) -> list[str]:
    """Return the lines of the logs in a folder that hold something personal, each with what it holds."""
    wanted = re.compile("|".join(rf"(?<!\w){re.escape(each)}(?!\w)" for each in sorted(personal)))
    return [
        f"{path.name}: {match[0]!r} in {line}"
        for path in sorted(logs.rglob("*.log*"))
        for line in path.read_text("utf-8", errors="replace").splitlines()
        if personal and (match := wanted.search(_read(line)))
    ]


def _read(line: str) -> str:
    """Return a line with its letters as they were written."""
    try:
        return json.dumps(json.loads(line), ensure_ascii=False).replace("\\n", "\n")
    except ValueError:
        return line
