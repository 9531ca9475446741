"""`tellonce policy check|diff|apply|explain`: what a policy says, what it changes, and what was decided by it.

Exit codes: 0 good or done, 1 something is wrong or was refused, 2 not reached, or it cannot be read.
"""

import argparse
import asyncio
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from deploy.cli import ask
from deploy.cli.configured import (
    check_secrets,
    named_policy,
    policy_path,
    read_secrets,
    read_settings,
)
from deploy.embedded.errors import PolicyNotApplied
from deploy.policy import applying, checking, differences, explaining
from shared import errors, queries, subjects
from shared.policy import Policy, content_of, load
from shared.settings import Settings

EXIT_WRONG = 1
EXIT_UNREADABLE = 2


def check(chosen: argparse.Namespace) -> int:
    """Print every complaint about a file, or about the files of a folder, and where it stands."""
    path = Path(chosen.file)
    try:
        found = checking.check(path)
    except errors.PolicyInvalid as error:
        print(f"{path}: {error}", file=sys.stderr)
        return EXIT_UNREADABLE
    for name, complaints in found.items():
        shown = path / name if path.is_dir() else path
        for each in complaints:
            about = f"{each.path}: " if each.path else ""
            kind = "" if each.refused else "warning: "
            print(f"{shown}:{each.line}:{each.column}: {kind}{about}{each.text}")
        if not any(each.refused for each in complaints):
            print(f"{shown}: good")
    return EXIT_WRONG if any(each.refused for every in found.values() for each in every) else 0


def diff(chosen: argparse.Namespace) -> int:
    """Print what changes for people from one policy to another; EXIT_WRONG where that strands something.

    With `--running` what the agents and queues that go hold now is asked for on the bus.
    """
    try:
        old, new = load(chosen.old), load(chosen.new)
    except errors.PolicyInvalid as error:
        print(f"{error}: `tellonce policy check` says where", file=sys.stderr)
        return EXIT_UNREADABLE
    changes = differences.differences(old, new)
    if chosen.running:
        for line in _held(chosen, old, new):
            print(line)
    return show_changes(changes)


def show_changes(changes: Sequence[differences.Change]) -> int:
    """Print changes; EXIT_WRONG where one strands something."""
    for change in changes:
        print(f"STRANDS {change.text}" if change.strands else f"        {change.text}")
    if not changes:
        print("Both say the same.")
    return EXIT_WRONG if any(each.strands for each in changes) else 0


def _held(chosen: argparse.Namespace, old: Policy, new: Policy) -> Iterator[str]:
    """Yield what agents and queues that go hold now, as the running stack says."""
    going = [("agent", each) for each in old.agents if each not in new.agents]
    going += [("queue", each) for each in old.queues if each not in new.queues]
    for kind, name in going:
        subject = subjects.query(old.tenant, queries.AskInbox.name)
        answer = ask.exchange(chosen, subject, {kind: name, "limit": 1})
        counts = (answer or {}).get("counts") or {}
        told = ", ".join(f"{count} {what}" for what, count in counts.items())
        yield f"        now     {kind} {name}: {told or 'nobody could tell'}"


def apply(chosen: argparse.Namespace) -> int:
    """Put a policy where the running stack reads it, wait until every service works by it, print its version.

    Raises: SetupError; what was in force then still is, unless the error says which services are late.
    """
    file = Path(chosen.file)
    try:
        content = content_of(file)
        if any(each.refused for each in checking.check(file)[file.name]):
            return check(chosen)
        place = _place_of_policies(chosen)
        target, new = applying.find_target(place, content)
    except errors.PolicyInvalid as error:
        print(f"{file}: {error}", file=sys.stderr)
        return EXIT_WRONG
    check_secrets([new.lookup_secret, *new.reply_secrets], read_secrets(place))
    if target.old is not None:
        show_changes(differences.differences(target.old, new))
    bus = ask.bus_address(chosen)
    asyncio.run(applying.ask_around(bus))
    applying.put(target, content)
    try:
        asyncio.run(applying.taken_up(bus, new, target.path.name, _say))
    except PolicyNotApplied as error:
        if not error.details.get("waits"):
            applying.put_back(target)
        raise
    print(f"{new.tenant} works by policy {new.version}")
    return 0


def _place_of_policies(chosen: argparse.Namespace) -> Path:
    """Return where the stack reads its policies: as named, as it says itself, else as the settings say.

    Raises: PolicyNotApplied for the example of the package, PolicyUnusable, SettingUnreadable.
    """
    place = policy_path(named_policy(chosen) or read_settings().policy)
    if place == policy_path(Settings().policy):
        raise PolicyNotApplied(
            "the stack runs on the example that comes with Tellonce",
            mend="copy it, and start the stack on the copy: `tellonce up --tenant-policy FILE`",
        )
    return place


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def explain(chosen: argparse.Namespace) -> int:
    """Print why a matter went as it did; with `--json` all decisions as one object."""
    if not subjects.is_token(chosen.tenant):
        return ask.shown({"error": errors.TenantUnknown(tenant=chosen.tenant).problem()})
    answer = _explanation(chosen)
    if chosen.json or answer is None or "error" in answer:
        return ask.shown(answer)
    for line in explaining.lines(answer["decisions"]):
        print(line)
    return 0


def _explanation(chosen: argparse.Namespace) -> Any:
    """Return the whole answer, of all pages; None when nobody answered."""
    subject, after = subjects.query(chosen.tenant, "explain"), 0
    decisions: list[Any] = []
    while True:
        asked = {"conversation": chosen.conversation, "after": after}
        answer = ask.exchange(chosen, subject, asked)
        if answer is None or "error" in answer:
            return answer
        decisions += answer["decisions"]
        after = answer["next"]
        if after is None:
            return {**answer, "decisions": decisions}
