"""What changes from one policy to another: what is said otherwise, and what that means for people.

What is said otherwise is found in the structs alone; what it means stands in a function for each rule of the router
that a change can reach.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import structs

from shared.policy import Policy

SINGULAR = {"queues": "queue", "agents": "agent", "accounts": "account", "calendars": "calendar"}
"""How one thing is called of what the policy lists by name; `integrations` and others lose their `s`."""
SHOWN_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is otherwise. `strands`: something that people wait for, or work on, loses its way by it."""

    text: str
    strands: bool = False


def differences(old: Policy, new: Policy) -> list[Change]:
    """Return what changes, in the policy's order, and then what it means; [] where both say the same."""
    said = [Change(text) for text in _otherwise(old, new, "")]
    meant = (rule(old, new) for rule in MEANINGS)
    return [*said, *(change for changes in meant for change in changes)]


# -- what is said otherwise ---------------------------------------------------------------------------


def _otherwise(old: Any, new: Any, name: str) -> Iterator[str]:
    """Yield what is otherwise in a part; `name`: how it is called."""
    if old == new:
        return
    if isinstance(old, msgspec.Struct) and type(old) is type(new):
        for field in structs.fields(old):
            part = _called(name, field.encode_name)
            yield from _otherwise(getattr(old, field.name), getattr(new, field.name), part)
    elif isinstance(old, dict) and isinstance(new, dict):
        yield from _entries(old, new, name)
    elif isinstance(old, list | tuple) and isinstance(new, list | tuple):
        yield f"{name}: {', '.join(_members(old, new)) or 'in another order'}"
    else:
        yield f"{name}: {_written(old)} → {_written(new)}"


def _entries(old: Mapping[str, Any], new: Mapping[str, Any], name: str) -> Iterator[str]:
    one = SINGULAR.get(name, name.removesuffix("s"))
    for key in dict.fromkeys((*old, *new)):
        if key not in new:
            yield f"{one} {key} is gone"
        elif key not in old:
            yield f"{one} {key} is new: {_written(new[key])}"
        else:
            yield from _otherwise(old[key], new[key], f"{one} {key}")


def _members(old: Any, new: Any) -> Iterator[str]:
    yield from (f"+ {_written(each)}" for each in new if each not in old)
    yield from (f"− {_written(each)}" for each in old if each not in new)


def _called(name: str, field: str) -> str:
    return f"{name}: {field}" if " " in name and ":" not in name else f"{name}.{field}".lstrip(".")


def _written(value: Any) -> str:
    """Return a value as a policy has it, without what is as usual, and no longer than a line."""
    if isinstance(value, msgspec.Struct):
        usual = {field.name: field.default for field in structs.fields(value)}
        given = {name: getattr(value, name) for name in usual}
        told = [f"{name} {_written(each)}" for name, each in given.items() if each != usual[name]]
        text = ", ".join(told) or "as usual"
    elif isinstance(value, list | tuple):
        text = ", ".join(map(_written, value)) or "none"
    elif isinstance(value, dict):
        text = ", ".join(f"{key}: {_written(each)}" for key, each in value.items()) or "none"
    else:
        text = "none" if value is None else str(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


# -- what it means ------------------------------------------------------------------------------------


def _tenant(old: Policy, new: Policy) -> Iterator[Change]:
    if old.tenant != new.tenant:
        yield Change(
            f"it is another tenant's: {old.tenant} has no policy any more, her doors are shut", True
        )


def _recognised(old: Policy, new: Policy) -> Iterator[Change]:
    if old.lookup_secret != new.lookup_secret:
        yield Change("nobody who came before is recognised: every handle is hashed otherwise", True)
    gone = [each for each in old.reply_secrets if each not in new.reply_secrets]
    if gone:
        yield Change(f"answers to mails marked by {', '.join(gone)} prove nothing any more", True)


def _agents(old: Policy, new: Policy) -> Iterator[Change]:
    for name in old.agents:
        if name not in new.agents:
            yield Change(
                f"agent {name}: all that she owns goes back to its queue, with its packet", True
            )


def _queues(old: Policy, new: Policy) -> Iterator[Change]:
    first = next(iter(new.queues), None)
    for name in old.queues:
        if name not in new.queues:
            yield Change(f"queue {name}: whoever waits there waits in {first}, the first one", True)
    for name in new.queues:
        before, after = old.agents_of_queue(name), new.agents_of_queue(name)
        if not after and (before or name not in old.queues):
            yield Change(f"queue {name}: nobody is offered what waits there", True)
        elif before != after and name in old.queues:
            yield Change(f"queue {name}: offered to {', '.join(after)}; before to {_who(before)}")


def _teams(old: Policy, new: Policy) -> Iterator[Change]:
    for team in sorted(old.teams() - new.teams()):
        yield Change(f"team {team}: nobody is left whom a transfer to it could be offered to", True)


def _accounts(old: Policy, new: Policy) -> Iterator[Change]:
    for name in old.accounts:
        if name not in new.accounts:
            yield Change(
                f"account {name}: its door is shut, and what came stays in RAW, told as account.left",
                True,
            )


def _who(agents: list[str]) -> str:
    return ", ".join(agents) or "nobody"


MEANINGS = (_tenant, _recognised, _agents, _queues, _teams, _accounts)
"""What a change means for people, rule by rule."""
