"""Rules for what stands on the wire for ever: event types and error codes."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from docs.generate.event_page import aggregate_of
from docs.generate.house_pages import error_classes, load_everything
from shared import codec
from shared.events import event_types
from tests.architecture.tree import CODE, ROOT, sources

GOLDEN = ROOT / "tests" / "golden" / "events"
EVENT_NAME = re.compile(r"[a-z]+\.[a-z]+(_[a-z]+)*\Z")
PAST = re.compile(r"(ed|en|rung|sent|made|kept|said|told|held|met|in|up|set)\Z")
"""How a past participle ends; the last ones are phrases: signed in, wrapped up."""
IN_BETWEEN = {"message.uncertain"}
"""Nobody knows what happened: there is no participle for that."""
ERROR_CODE = re.compile(r"[a-z]+\.[a-z]+(_[a-z]+)*\Z")


def golden_files() -> list[Path]:
    return sorted(GOLDEN.glob("*.json"))


def test_every_event_type_names_its_tag() -> None:
    """A tag is given, never derived: renaming a class must not change the wire."""
    silent = [
        kind.__name__
        for source in sources("shared")
        if source.name.startswith("shared/events/")
        for tag, kind in event_types().items()
        if kind.__module__ == source.name.removesuffix(".py").replace("/", ".")
        and f'tag="{tag}"' not in source.text
    ]
    assert not silent, f'write tag="noun.past": {silent}'


@pytest.mark.parametrize("tag", sorted(event_types()))
def test_an_event_is_named_by_noun_and_past_participle(tag: str) -> None:
    """An event has happened; what shall happen is a command."""
    assert EVENT_NAME.match(tag), f"{tag}: write noun.past_participle"
    assert PAST.search(tag) or tag in IN_BETWEEN, f"{tag}: use the past participle"


def test_every_event_type_has_a_golden_sample() -> None:
    """What was written once must be readable for ever, and only a stored sample shows that."""
    sampled = {json.loads(path.read_bytes())["type"] for path in golden_files()}
    missing = sorted(set(event_types()) - sampled)
    assert not missing, f"add tests/golden/events/<type>.json for {missing}"


def test_no_event_type_of_a_golden_sample_is_gone() -> None:
    """A type that was written once may not leave the union."""
    sampled = {json.loads(path.read_bytes())["type"] for path in golden_files()}
    gone = sorted(sampled - set(event_types()))
    assert not gone, f"put these types back: {gone}"


@pytest.mark.parametrize("path", golden_files(), ids=lambda path: path.stem)
def test_a_golden_sample_decodes_for_ever(path: Path) -> None:
    """No field of an old event is lost: decoding and encoding again gives all that stood there."""
    stored = json.loads(path.read_bytes())
    again = json.loads(codec.encode(codec.decode(path.read_bytes())))
    lost = _lost(stored, again)
    assert not lost, f"never rename, re-type or remove a field: {lost}"


def _lost(stored: object, again: object, where: str = "") -> list[str]:
    """Return what `stored` says and `again` does not; more in `again` is a new default."""
    if isinstance(stored, dict) and isinstance(again, dict):
        return [
            lost
            for key, value in stored.items()
            for lost in (
                _lost(value, again[key], f"{where}.{key}") if key in again else [f"{where}.{key}"]
            )
        ]
    return [] if stored == again else [where]


@pytest.mark.parametrize("path", golden_files(), ids=lambda path: path.stem)
def test_a_golden_sample_stands_on_the_aggregate_of_its_type(path: Path) -> None:
    """Each event type belongs to one kind of aggregate, and the reference names it."""
    event = codec.decode(path.read_bytes())
    kind = aggregate_of(type(event))[0].partition("-")[0]
    assert event.aggregate.partition("-")[0] in {kind, "contact"}, event.aggregate


def test_every_error_has_its_own_code() -> None:
    """A code is API: whoever reads it must know which error it is."""
    load_everything()
    counted = Counter(kind.code for kind in error_classes())
    twice = [code for code, count in counted.items() if count > 1]
    assert not twice, f"choose another code: {twice}"


def test_every_error_code_is_noun_and_reason() -> None:
    """One form for all, so that a caller can match the noun."""
    load_everything()
    strange = [kind.code for kind in error_classes() if not ERROR_CODE.match(kind.code)]
    assert not strange, f"write noun.reason: {strange}"


def test_every_error_code_stands_in_the_changelog() -> None:
    """A new code is a change on the wire, and whoever reads codes reads the changelog."""
    load_everything()
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    silent = sorted(kind.code for kind in error_classes() if f"`{kind.code}`" not in changelog)
    assert not silent, f"add a **Wire** line to CHANGELOG.md for {silent}"


def test_every_error_is_raised_somewhere() -> None:
    """An error that nothing raises is a promise that nobody keeps."""
    load_everything()
    used = {
        node.id if isinstance(node, ast.Name) else node.attr
        for source in sources(*CODE)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Name | ast.Attribute)
    }
    unused = [kind.__name__ for kind in error_classes() if kind.__name__ not in used]
    assert not unused, f"raise these or take them away: {unused}"
