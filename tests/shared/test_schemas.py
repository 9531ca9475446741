"""The published schemas say of every message what the services say of it."""

import copy
import functools
import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from jsonschema import Draft7Validator, FormatChecker

from deploy.cli.ask import envelope
from docs.generate.asyncapi import document
from docs.generate.schemas import GOLDEN, schemas
from shared import errors, requests
from shared.commands import COMMANDS
from shared.events import event_types
from shared.queries import QUERIES
from tests.architecture.tree import ROOT, files

SCHEMAS = schemas()
ODD: tuple[object, ...] = (None, 7, "", "x" * 600, "Ünlesbar!", [], [{}], {}, True, -1, 2**60)
SHOWN = re.compile(r"tellonce (cmd|query) (\w+) '(\{.*?\})'", re.DOTALL)
FILLED_IN = {r"<\w+>": "x", '(?<=")…(?=")': "x", r"'\$\(date [^)]*\)'": "2026-11-22T09:30:30Z"}
"""What a reader of a document fills in, or the shell."""


@functools.cache
def validator(path: str) -> Draft7Validator:
    return Draft7Validator(SCHEMAS[path], format_checker=FormatChecker())


def sample(folder: str, name: str) -> Any:
    return json.loads((GOLDEN / folder / f"{name}.json").read_bytes())


@pytest.mark.parametrize("path", SCHEMAS)
def test_every_schema_is_one_and_its_examples_follow_it(path: str) -> None:
    """It is valid draft-07, what it refers to stands in it, and whoever copies an example is understood."""
    Draft7Validator.check_schema(SCHEMAS[path])
    for example in SCHEMAS[path].get("examples", []):
        validator(path).validate(example)


def test_every_schema_has_an_identity_of_its_own() -> None:
    """Two of one name would hide each other in a registry."""
    assert len({schema["$id"] for schema in SCHEMAS.values()}) == len(SCHEMAS)


@pytest.mark.parametrize("tag", event_types())
def test_an_event_leads_to_its_schema(tag: str) -> None:
    """`dataschema` and `type` together are the schema's `$id`, and no other schema takes the event."""
    event, schema = sample("events", tag), SCHEMAS[f"events/{tag}.json"]
    assert schema["$id"] == f"{event['dataschema']}:{event['type']}"
    takes = {
        path for path in SCHEMAS if path.startswith("events/") and validator(path).is_valid(event)
    }
    assert takes == {f"events/{tag}.json"}


@pytest.mark.parametrize("tag", event_types())
def test_an_event_without_what_it_needs_fails(tag: str) -> None:
    """Each field that every event of a type has is missed, and one of another kind is noticed."""
    event, check = sample("events", tag), validator(f"events/{tag}.json")
    for name in SCHEMAS[f"events/{tag}.json"]["required"]:
        assert not check.is_valid({key: event[key] for key in event if key != name})
        assert not check.is_valid({**event, name: 7})
    assert check.is_valid({**event, "of_a_newer_version": 7})
    assert not check.is_valid({**event, "dataschema": "urn:tellonce:event:2"})
    assert not check.is_valid({**event, "schemaversion": 2})


@pytest.mark.parametrize(
    ("path", "given"),
    [
        *((f"commands/{verb}.json", sample("commands", verb)) for verb in COMMANDS),
        *((f"queries/{name}.json", sample("queries", name)) for name in QUERIES),
    ],
    ids=[*COMMANDS, *QUERIES],
)
def test_a_schema_takes_of_a_request_what_its_service_takes(path: str, given: Any) -> None:
    """The sample, and everything that is one step beside it: a field less, one more, another value."""
    check = validator(path)
    assert check.is_valid(given)
    assert is_read(path, given)
    for changed in beside(given):
        assert check.is_valid(changed) == is_read(path, changed), changed


def is_read(path: str, given: object) -> bool:
    """Tell whether the service that serves a request can read it."""
    what, _, name = path.removesuffix(".json").partition("/")
    try:
        if what == "commands":
            requests.read_command(name, msgspec.json.encode(given))
        else:
            requests.read_question(QUERIES[name], msgspec.json.encode(given))
    except errors.CommandUnreadable:
        return False
    return True


def beside(given: Any) -> Iterator[Any]:
    """Yield a document with one place changed, for every place of it."""
    for path in places(given):
        for odd in ODD:
            yield changed(given, path, odd)
        yield changed(given, path)
    yield {**given, "of_a_newer_version": 7}


def places(part: Any) -> Iterator[tuple[str | int, ...]]:
    inner = part.items() if isinstance(part, dict) else enumerate(part)
    for name, value in inner:
        yield (name,)
        if isinstance(value, dict | list):
            yield from ((name, *rest) for rest in places(value))


def changed(given: Any, path: tuple[str | int, ...], *odd: Any) -> Any:
    """Return a copy with another value in one place, or without it."""
    *outer, last = path
    made = place = copy.deepcopy(given)
    for name in outer:
        place = place[name]
    if odd:
        place[last] = odd[0]
    else:
        del place[last]
    return made


def test_every_request_in_a_document_follows_its_schema() -> None:
    """Whoever copies a line of a how-to is not refused; the command line adds the envelope."""
    shown = [
        (path.name, *found)
        for path in files()
        if path.suffix == ".md" and path.is_relative_to(ROOT / "docs")
        for found in SHOWN.findall(path.read_text("utf-8"))
    ]
    assert len(shown) > len({page for page, *_ in shown}) > 1
    wrong = {}
    for page, what, name, body in shown:
        given = {**(envelope() if what == "cmd" else {}), **json.loads(filled_in(body))}
        folder = "commands" if what == "cmd" else "queries"
        error = next(validator(f"{folder}/{name}.json").iter_errors(given), None)
        if error is not None:
            wrong[page, body] = error.message
    assert not wrong


def filled_in(text: str) -> str:
    for blank, value in FILLED_IN.items():
        text = re.sub(blank, value, text)
    return text


def test_a_refusal_names_the_codes_that_there_are() -> None:
    """Each with its sentence; one of a newer version is still a refusal."""
    code = SCHEMAS["replies/refused.json"]["definitions"]["Problem"]["properties"]["code"]
    known = {each["const"] for each in code["anyOf"] if "const" in each}
    assert errors.CommandStale.code in known
    check = validator("replies/refused.json")
    assert check.is_valid({"error": errors.CommandStale(sequence=7).problem()})
    assert check.is_valid({"error": {**errors.CommandStale().problem(), "code": "command.new"}})
    assert not check.is_valid({"error": {"code": "command.stale"}})


def test_the_document_leads_to_every_schema_and_to_nothing_else() -> None:
    """Every message of it has a schema, every schema a message, and every reference within it a target."""
    made = document()
    payloads = {each["payload"]["$ref"] for each in made["components"]["messages"].values()}
    assert payloads == {f"schemas/{path}" for path in SCHEMAS}
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(made)):
        place = made
        for name in reference.split("/"):
            place = place[name]
