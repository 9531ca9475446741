"""Every rule and reason that the router writes has its words: what nobody can read explains nothing."""

import ast
import re
import typing
from collections.abc import Iterator

import pytest
from msgspec.structs import fields

from services.history.domain.rule_words import REASONS, RULES
from services.history.tables.explanation import DECISIONS
from services.router.app import NAME as ROUTER
from shared import events, timers
from tests.architecture.tree import Source, functions, sources

FAMILIES = {word.partition(".")[0] for word in RULES if "." in word}
_NAMED = re.compile(r"(^|_)RULE$")
_ACTING = re.compile(r"rule:([a-z_.]+)")
_RULE = re.compile(r"([a-z_]+)\.[a-z_.]+")
_WORD = re.compile(r"[a-z]+(_[a-z]+)*")
HINT = "say what it means in services/history/domain/rule_words.py"


def rules_in(source: Source) -> Iterator[str]:
    """Yield the rules that a file writes: a constant `RULE`, a `rule=`, an actor, a word of a family that is known."""
    for node in source.nodes:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(word))):
                if _NAMED.search(name):
                    yield word
            case ast.keyword(arg="rule", value=ast.Constant(value=str(word))):
                yield word
            case ast.Constant(value=str(word)):
                acting, family = _ACTING.fullmatch(word.partition("@")[0]), _RULE.fullmatch(word)
                if acting:
                    yield acting[1]
                elif family and family[1] in FAMILIES and word not in events.event_types():
                    yield word


def reasons_in(source: Source) -> Iterator[str]:
    """Yield why a candidate is passed over: a word that a function returns or nothing, or that it puts beside names."""
    for function in functions(source):
        if function.returns is None or ast.unparse(function.returns) != "str | None":
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Return) and isinstance(node.value, ast.Constant):
                yield str(node.value.value)
    for node in source.nodes:
        match node:
            case ast.DictComp(value=ast.Constant(value=str(word))):
                yield word


def decided_reasons() -> set[str]:
    """Return the reasons that the types of decisions list."""
    found: set[str] = set()
    for tag in DECISIONS:
        data = next(each.type for each in fields(events.event_types()[tag]) if each.name == "data")
        for each in fields(data.__args__[0]):
            if each.name == "reason" and typing.get_origin(each.type) is typing.Literal:
                found |= set(typing.get_args(each.type))
    return found


def test_every_rule_has_its_words() -> None:
    """Those of decisions and those that act as somebody, also by a timer."""
    written = {word for source in sources("services") for word in rules_in(source)}
    written |= {kind.name for kind in timers.KINDS if kind.reader == ROUTER}
    assert {"join.reference", "dispatch.longest_idle", "dispatch", "overload"} <= written
    assert not written - RULES.keys(), HINT


def test_every_reason_has_its_words() -> None:
    """Why candidates are passed over, and why offers and matters are taken away."""
    asking = [each for each in sources("services") if each.name.endswith("domain/asking.py")]
    written = {word for each in asking for word in reasons_in(each) if _WORD.fullmatch(word)}
    written |= set(typing.get_args(events.AgentStatus)) - {"available"} | decided_reasons()
    assert {"busy", "idle_shorter", "not_in_policy"} <= written
    assert not written - REASONS.keys() - {"None"}, HINT


@pytest.mark.parametrize(
    "text",
    [
        'TEAM_RULE = "dispatch.by_team"',
        'make(rule="night.closed")',
        'return Place(None, "join.by_moon")',
        'actor = f"rule:greeting@{version}"',
    ],
)
def test_a_rule_without_words_is_found(text: str) -> None:
    """However it is written."""
    found = set(rules_in(Source("services/router/domain/new.py", text, ast.parse(text))))
    assert found - RULES.keys()
