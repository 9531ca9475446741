"""Text from outside means one thing to every reader."""

from typing import Any

import msgspec
import pytest
import yaml

from shared import codec, strict

OBJECT = msgspec.json.Decoder(dict[str, Any])


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": 1, "a": 1}',
        b'{"a": 1, "\\u0061": 2}',
        b'{"deep": [{"b": {"a": 1, "c": 2, "a": 3}}]}',
        b'{"a": 1} {"a": 2}',
        b'{"a": ' + b"[" * 20_000,
        b'{"a": ' + b'{"a": ' * 20_000 + b"1" + b"}" * 20_001,
        b"\xff",
    ],
)
def test_an_object_with_a_name_twice_is_not_read(body: bytes) -> None:
    """However the name is written, however deep it stands; what is no JSON is refused alike."""
    with pytest.raises(codec.UNREADABLE):
        strict.read_json(body, OBJECT)


def test_the_same_name_in_two_objects_is_read() -> None:
    """Only within one object a name stands once."""
    assert strict.read_json(b'{"a": {"a": 1}, "b": {"a": 1}}', OBJECT) == {
        "a": {"a": 1},
        "b": {"a": 1},
    }


@pytest.mark.parametrize(
    "text",
    [
        b"{a: 1, a: 2}",
        b"a: {b: 1, c: 2, b: 1}",
        b"day: 2026-99-99",
        b"a: " + b"[" * 20_000,
        b"a: \xff",
        b"a: [",
        b"a: &a [*a]",
        b"a: 1" + b":1" * 200_000,
        b"a: 0x" + b"F" * 20_000,
        b"a0: &a0 [x]\n"
        + b"".join(b"a%d: &a%d [*a%d, *a%d]\n" % (n, n, n - 1, n - 1) for n in range(1, 40)),
        b"a0: &a0 {x: 1}\n"
        + b"".join(b"a%d: &a%d {<<: [*a%d, *a%d]}\n" % (n, n, n - 1, n - 1) for n in range(1, 40)),
        b"a: &a {"
        + b",".join(b"s%d: 1" % n for n in range(1_000))
        + b"}\nb: ["
        + b"*a," * 1_000
        + b"]",
    ],
)
def test_yaml_that_cannot_be_read_is_one_kind_of_error(text: bytes) -> None:
    """Whoever reads a file of YAML has one thing to catch."""
    with pytest.raises(yaml.YAMLError):
        strict.read_yaml(text)
