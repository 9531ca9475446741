"""Patterns of a policy, held against what anybody may write: none takes long, whatever stands in the text. Pure.

A search by backtracking may take longer than anybody lives: `(a+)+b` on thirty times `a`. Two things bound it. A text
is looked at by windows of WINDOW characters, so that nothing repeated runs further; and a pattern of which one try from
one place may take more than STEPS_MAX steps is none. How many they are is counted on the pattern alone, from its end:
what repeats or offers a choice multiplies what follows, unless the next character says by itself which way is meant.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache, reduce
from itertools import combinations

# The only readers of this syntax; they are private. Tests hold what is taken from them.
from re import _constants as words  # type: ignore[attr-defined]
from re import _parser as reader  # type: ignore[attr-defined]
from typing import Any, NamedTuple

WINDOW = 256
"""So many characters a pattern sees at once: a fact is no longer, nor is a handle."""
STRIDE = WINDOW // 2
"""Whatever is no longer than this is found wherever it stands."""
STEPS_MAX = 16_384
SHORT_STEPS = 32
PATTERN_MAX_CHARACTERS = 1_024

TOO_LONG = "it may take too long: end what repeats where something else begins, or let it give nothing back, as `*+`"

_ASCII = frozenset(map(chr, range(128)))
_BEYOND = frozenset("żŻßıſ٣²\xa0—中🙂")
"""Stand for all other characters: of each kind that classes tell apart, and of those with several cases."""
_ALL = _ASCII | _BEYOND
_CLASSES: Mapping[Any, frozenset[str]] = {
    words.CATEGORY_DIGIT: frozenset(filter(str.isdecimal, _ALL)),
    words.CATEGORY_SPACE: frozenset(filter(str.isspace, _ALL)),
    words.CATEGORY_WORD: frozenset(each for each in _ALL if each.isalnum() or each == "_"),
}
_OTHERS = {
    words.CATEGORY_NOT_DIGIT: words.CATEGORY_DIGIT,
    words.CATEGORY_NOT_SPACE: words.CATEGORY_SPACE,
    words.CATEGORY_NOT_WORD: words.CATEGORY_WORD,
}
_ONE_OF = frozenset({words.LITERAL, words.NOT_LITERAL, words.ANY, words.IN})
_REPEATS = frozenset({words.MAX_REPEAT, words.MIN_REPEAT, words.POSSESSIVE_REPEAT})


class _Rest(NamedTuple):
    """What follows a place in a pattern. `steps`: that trying it takes at most, beside a look at each character;
    `run`: over so many characters it may go in vain; `first`: with which it may begin; `empty`: it never fails;
    `found`: and with it the whole pattern is found, so that nothing before it is tried otherwise."""

    steps: int
    run: int
    first: frozenset[str]
    empty: bool
    found: bool = False


_END = _Rest(1, 0, frozenset(), empty=True)
_FOUND = _END._replace(found=True)


def complaint(pattern: str) -> str | None:
    """Return why a pattern is none, or takes too long; `None` when it is good."""
    if len(pattern) > PATTERN_MAX_CHARACTERS:
        return f"longer than {PATTERN_MAX_CHARACTERS} characters"
    try:
        _compiled(pattern)
        steps = _before(reader.parse(pattern), _FOUND).steps
    except (re.error, RecursionError, OverflowError) as error:
        return str(error)
    return None if steps <= STEPS_MAX else TOO_LONG


def found_in(pattern: str, text: str, flags: re.RegexFlag = re.NOFLAG) -> Iterator[re.Match[str]]:
    """Yield what a pattern finds, in order; nothing that is as long as WINDOW."""
    compiled, at = _compiled(pattern, flags), 0
    while at <= len(text):
        end = at + WINDOW
        match = compiled.search(text, at, end)
        if match is None:
            at += STRIDE if end < len(text) else WINDOW
        elif match.end() >= end and end < len(text):  # it may go on, or end elsewhere
            at = match.start() if match.start() > at else match.end()
        else:
            yield match
            at = max(match.end(), match.start() + 1)


def is_in(pattern: str, text: str, flags: re.RegexFlag = re.NOFLAG) -> bool:
    """Tell whether a pattern finds anything in a text."""
    return next(found_in(pattern, text, flags), None) is not None


@lru_cache(maxsize=1_024)
def _compiled(pattern: str, flags: re.RegexFlag = re.NOFLAG) -> re.Pattern[str]:
    return re.compile(pattern, flags)


# -- how long one try may take ------------------------------------------------------------------------


def _before(items: Sequence[tuple[Any, Any]], rest: _Rest) -> _Rest:
    """Return what a part of a pattern is, with what follows it."""
    return reduce(_one_before, reversed(list(items)), rest)


def _one_before(rest: _Rest, item: tuple[Any, Any]) -> _Rest:
    kind, what = item
    if kind in _ONE_OF:
        return _Rest(rest.steps + 1, rest.run + 1, _characters(kind, what), empty=False)
    if kind in _REPEATS:
        least, most, repeated = what
        return _repeated(kind, (least, most), repeated, rest)
    match kind:
        case words.SUBPATTERN:
            return _before(what[-1], rest)
        case words.BRANCH:
            return _either([_before(each, rest) for each in what[1]])
        case words.GROUPREF_EXISTS:
            return _either([_before(each or (), rest) for each in what[1:]])
        case words.ATOMIC_GROUP:
            return _settled(_before(what, _END), rest)
        case words.ASSERT | words.ASSERT_NOT:
            return _looked(what[0], what[1], rest)
        case words.GROUPREF:
            return _Rest(rest.steps + 1, rest.run + WINDOW, _ALL, empty=False)
        case _:  # a place, as the end of a word: it takes nothing, and may fail
            return _Rest(rest.steps + 1, rest.run, rest.first, empty=False)


def _looked(way: int, what: Any, rest: _Rest) -> _Rest:
    """Return a look ahead, or behind, and what follows it: it is taken whatever stands where that begins.

    A short look behind costs no more than one at a character.
    """
    looked = _before(what, _END)
    here = looked.first if way > 0 and not looked.empty else _ALL
    if way < 0 and looked.steps <= SHORT_STEPS:
        here = frozenset()
    steps, run = looked.steps + rest.steps, looked.run + rest.run
    return _Rest(steps, run, here | rest.first, empty=False)


def _settled(taken: _Rest, rest: _Rest) -> _Rest:
    """Return what is not tried otherwise once it was found, and what follows it."""
    first = taken.first | rest.first if taken.empty else taken.first
    steps, run = taken.steps + rest.steps, taken.run + rest.run
    return _Rest(steps, run, first, taken.empty and rest.empty)


def _either(ways: Sequence[_Rest]) -> _Rest:
    """Return a choice: where one character leaves several ways open, and none of them is sure, all are gone."""
    steps, first = [each.steps for each in ways], [each.first for each in ways]
    sure = any(each.empty for each in ways)
    run = max(each.run for each in ways)
    several = sure or any(one & other for one, other in combinations(first, 2))
    most = sum(steps) + (0 if sure else run) if several else max(steps) + len(ways)
    return _Rest(most, run, frozenset[str]().union(*first), sure)


def _repeated(kind: Any, times: tuple[int, int], what: Any, rest: _Rest) -> _Rest:
    if kind == words.POSSESSIVE_REPEAT:
        return _settled(_repeated(words.MAX_REPEAT, times, what, _END), rest)
    least, most = (min(int(each), WINDOW) for each in times)
    if len(what) == 1 and what[0][0] in _ONE_OF:
        return _one_repeated(_characters(*what[0]), least, most, rest)
    return _group_repeated(what, least, most, rest)


def _one_repeated(taken: frozenset[str], least: int, most: int, rest: _Rest) -> _Rest:
    """Return a repeated character: it gives back one by one, in vain at once where what follows begins otherwise."""
    steps = rest.steps + 2
    if not rest.empty and taken & rest.first:
        steps += (most - least) * (rest.steps + rest.run)
    first = taken if least else taken | rest.first
    run, found = rest.run + (least if rest.found else most), rest.found and not least
    return _Rest(steps, run, first, rest.empty and not least, found)


def _group_repeated(what: Any, least: int, most: int, rest: _Rest) -> _Rest:
    """Return a repeated group, from its last time to its first: each time it may be over, but for the first ones."""
    found = rest
    for time in range(most):
        once = _before(what, found)
        if time < most - least:
            once = _either([once, rest])
        found = once._replace(steps=once.steps + 1, run=min(once.run, WINDOW))
        if found.steps > STEPS_MAX:
            break
    return found


# -- with which characters ----------------------------------------------------------------------------


def _characters(kind: Any, what: Any) -> frozenset[str]:
    """Return the characters that one place of a pattern may take, in either case."""
    match kind:
        case words.LITERAL:
            return _written(what, what)
        case words.NOT_LITERAL:
            return _ALL - _surely(what, what)
        case words.IN:
            return _class(what)
        case _:
            return _ALL


def _class(members: Sequence[tuple[Any, Any]]) -> frozenset[str]:
    """Return what a class takes: one that leaves something out takes all that is not surely left out."""
    negated = members[0][0] == words.NEGATE
    of_range = _surely if negated else _written
    found = frozenset[str]()
    for kind, what in members[negated:]:
        if kind == words.CATEGORY:
            known = _OTHERS.get(what)
            found |= _CLASSES[what] if known is None else _ALL - _CLASSES[known]
        else:
            found |= of_range(*(what if kind == words.RANGE else (what, what)))
    return _ALL - found if negated else found


def _surely(first: int, last: int) -> frozenset[str]:
    return frozenset(each for each in _ASCII if first <= ord(each) <= last)


def _written(first: int, last: int) -> frozenset[str]:
    """Return what stands for the characters between two, with those of the other case; any beyond ASCII for each."""
    found = _surely(first, last)
    cases = {other for each in found for other in (each.lower(), each.upper())}
    return found | cases | (_BEYOND if last >= len(_ASCII) else frozenset())
