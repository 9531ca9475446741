"""The policy's schema for editors: it takes every policy of the repository, and refuses what is refused by shape."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator, FormatChecker

from shared.policy import Policy, parse
from tests.support.policies import as_an_editor_reads, every_policy, mutations

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "docs" / "reference" / "policy.schema.json").read_bytes())
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=FormatChecker())


@pytest.mark.parametrize("content", [pytest.param(each, id=name) for name, each in every_policy()])
def test_every_policy_of_the_repository_fits(content: bytes) -> None:
    """What is loaded here is marked nowhere in an editor."""
    parse(content)
    assert [each.message for each in VALIDATOR.iter_errors(as_an_editor_reads(content))] == []


def test_it_is_a_schema_and_says_what_fields_mean() -> None:
    """Of its dialect; each struct says what it is, and so does a field that its docstring names."""
    Draft202012Validator.check_schema(SCHEMA)
    assert all(each["description"] for each in (SCHEMA, *SCHEMA["$defs"].values()))
    slots = SCHEMA["$defs"]["Agent"]["properties"]["slots"]
    assert (slots["description"], slots["default"], slots["maximum"]) == (
        "conversations at once",
        3,
        100,
    )


# -- what is refused by shape ------------------------------------------------------------------------


def fits(policy: Any) -> bool:
    """Tell whether a policy has the shape of one, whatever it means: what a struct says of itself is no shape."""
    try:
        msgspec.convert(policy, Policy)
    except msgspec.ValidationError as error:
        return error.__cause__ is not None
    return True


@settings(max_examples=100)
@given(mutations())
def test_the_schema_refuses_what_is_refused_by_shape_and_nothing_else(policy: Any) -> None:
    """Whatever was changed in a policy, an editor and the loader agree."""
    assert VALIDATOR.is_valid(policy) == fits(policy)
