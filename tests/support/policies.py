"""Every policy of the repository, and policies that something was done to."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import strategies as st

from deploy.story.file.reading import read_story
from deploy.story.stack import merged_policy
from shared import strict
from shared.policy import Policy
from shared.settings import Settings
from tests.router.samples import POLICY_TEXT
from tests.stories.files import EVERY_STORY, shared_policy

EMBEDDED = Path(Settings().policy).read_bytes()

Place = tuple[str | int, ...]


def as_an_editor_reads(content: bytes) -> Any:
    """Return what a policy says, dates as they are written."""
    return msgspec.to_builtins(strict.read_yaml(content))


def every_policy() -> Iterator[tuple[str, bytes]]:
    """Yield the embedded policy, the tests' own, and those that stories make of it."""
    yield from (("embedded", EMBEDDED), ("samples", POLICY_TEXT))
    yield "shared stack", shared_policy()
    for story in EVERY_STORY:
        changes = read_story(story).head.policy
        if changes:
            yield story.stem, merged_policy(EMBEDDED, changes)


MORE = {
    "calendars": {"shop": {"open": {"mon-fri": ["08:00-18:00"]}, "holidays": "PL"}},
    "proof": {"mail": "proved"},
}
WHOLE = msgspec.json.decode(
    msgspec.json.encode(msgspec.convert(as_an_editor_reads(EMBEDDED) | MORE, Policy))
)
"""With every field, also those that nobody needs to write."""


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    """Yield where something stands in a policy, from the whole to its leaves."""
    yield at
    if isinstance(value, dict | list):
        for name, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(each, (*at, name))


PLACES = list(places(WHOLE))
ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, 1, -1, 2.5, 10**12, "", "x", "Not A Name", "mail", "x" * 3_000, [], ["x"], {}]
)


@st.composite
def mutations(draw: st.DrawFn) -> Any:
    """Return a policy with a value replaced, taken away, named otherwise, or put where nothing is expected."""
    changed = copy.deepcopy(WHOLE)
    *way, last = draw(st.sampled_from(PLACES[1:]))
    parent = changed
    for name in way:
        parent = parent[name]
    match draw(st.sampled_from(["other", "gone", "renamed", "more"])):
        case "other":
            parent[last] = draw(ODD)
        case "gone":
            del parent[last]
        case "renamed" if isinstance(parent, dict):
            parent[draw(st.sampled_from(["typo", "title", "Not A Name", "chat"]))] = parent.pop(
                last
            )
        case _ if isinstance(parent[last], dict):
            parent[last][draw(st.sampled_from(["typo", "title", "Not A Name"]))] = draw(ODD)
        case _:
            parent[last] = [parent[last], draw(ODD)]
    return changed
