"""Rules for what stands on the wire for ever: event types and error codes."""

import ast
import re
from collections import Counter

from docs.generate import golden_hashes
from docs.generate.event_page import aggregate_of
from docs.generate.house_pages import error_classes, load_everything
from shared import codec
from shared.events import event_types
from tests.architecture.tree import CODE, ROOT, sources

EVENT_NAME = re.compile(r"[a-z]+\.[a-z]+(_[a-z]+)*\Z")
PAST = re.compile(r"(ed|en|rung|drawn|sent|made|kept|left|read|said|told|held|met|in|up|set)\Z")
"""How a past participle ends; the last ones are phrases: signed in, wrapped up."""
IN_BETWEEN = {
    "message.uncertain",
    "promise.overdue",
    "promise.due_soon",
    "callback.overdue",
    "escalation.overdue",
}
"""Nobody knows what happened, or nobody did anything: there is no participle for that."""
ERROR_CODE = re.compile(r"[a-z]+\.[a-z]+(_[a-z]+)*\Z")


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


def test_an_event_is_named_by_noun_and_past_participle() -> None:
    """An event has happened; what shall happen is a command."""
    strange = [
        tag
        for tag in event_types()
        if not EVENT_NAME.match(tag) or not (PAST.search(tag) or tag in IN_BETWEEN)
    ]
    assert not strange, f"write noun.past_participle: {strange}"


def test_a_golden_sample_is_never_edited() -> None:
    """It stands for what was written long ago: a list of hashes notices a sample that was made to fit."""
    samples, noted = golden_hashes.found(), golden_hashes.listed()
    edited = sorted(name for name, digest in noted.items() if samples.get(name) != digest)
    assert not edited, f"put these back as they were: {edited}"
    assert samples.keys() == noted.keys(), "run `python -m docs.generate`"


def test_a_golden_sample_stands_on_the_aggregate_of_its_type() -> None:
    """Each event type belongs to one kind of aggregate, and the reference names it."""
    samples = [
        codec.decode(path.read_bytes()) for path in sorted(golden_hashes.SAMPLES.glob("*.json"))
    ]
    strange = [
        f"{event.type} on {event.aggregate}"
        for event in samples
        if event.aggregate.partition("-")[0] != aggregate_of(type(event))[0].partition("-")[0]
    ]
    assert not strange, (
        f"write these to the aggregate that docs/reference/events.md names: {strange}"
    )


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
        for node in source.nodes
        if isinstance(node, ast.Name | ast.Attribute)
    }
    unused = [kind.__name__ for kind in error_classes() if kind.__name__ not in used]
    assert not unused, f"raise these or take them away: {unused}"
