"""`tellonce deliver`: one signed delivery to a door, as its provider would; to try things out.

tellonce deliver form/contact email=a@mail.example message=Hello
tellonce deliver form/contact '{"submission_id": "f-1", "email": "a@mail.example", "message": "Hello"}'
tellonce deliver email/shop < mail.eml

Prints the door's status and answer. Exit codes: 0 taken, 1 refused, 2 not reached.
What the policy has no account for, and what its provider cannot send, is refused here with the code of a door.
"""

import argparse
import asyncio
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.cli.configured import read_policy, read_secrets, read_settings
from deploy.embedded import errors, state
from deploy.story.errors import StepFailed
from deploy.story.providers import PROVIDERS, doors, provider_of
from shared.errors import AccountUnknown, PayloadUnreadable

EXIT_REFUSED = 1
EXIT_NOT_REACHED = 2
FIELD = re.compile(r"([\w.-]+)=(.*)", re.DOTALL)


def deliver(chosen: argparse.Namespace) -> int:
    """Make the delivery and send it until the door says something else than "later". Raises: SetupError."""
    try:
        delivery = _delivery(chosen)
    except (AccountUnknown, PayloadUnreadable) as error:
        print(json.dumps({"error": error.problem()}, ensure_ascii=False))
        return EXIT_REFUSED
    try:
        answer = asyncio.run(doors.deliver(delivery))
    except StepFailed as failed:
        print(f"not reached ({failed.got})", file=sys.stderr)
        return EXIT_NOT_REACHED
    print(f"{answer.status} {answer.text}")
    return EXIT_REFUSED if answer.refused else 0


def _delivery(chosen: argparse.Namespace) -> doors.Delivery:
    """Raises: AccountUnknown, PayloadUnreadable, SetupError."""
    path, policy = read_policy(chosen.tenant_policy)
    account = policy.accounts.get(chosen.account)
    if account is None:
        known = [name for name in policy.accounts if name.partition("/")[0] in PROVIDERS]
        print(f"there are: {', '.join(sorted(known))}", file=sys.stderr)
        raise AccountUnknown(account=chosen.account)
    provider = provider_of(chosen.account)
    key = doors.secret_of(account, read_secrets(path))
    public_url = read_settings().public_url
    door = doors.door_of(_address(chosen), public_url, policy.tenant, chosen.account)
    return doors.make_delivery(provider, door, _content(chosen.content), key, {})


def _address(chosen: argparse.Namespace) -> str:
    """Return where ingest of the data folder's stack listens. Raises: AddressInvalid if none runs."""
    address = state.read_status(state.data_folder(chosen.data)).addresses.get("ingest")
    if address is None:
        raise errors.AddressInvalid(
            "no stack runs on the data folder",
            mend="start one with `tellonce up`, or name its folder with --data",
        )
    return address


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False


def _content(given: Sequence[str]) -> bytes | str | dict[str, str]:
    """Return what the command line or standard input says. Raises: PayloadUnreadable."""
    if not given:
        return sys.stdin.buffer.read()
    fields = [match for each in given if (match := FIELD.fullmatch(each))]
    if len(fields) == len(given):
        return {field[1]: field[2] for field in fields}
    if len(given) == 1:
        if _is_file(given[0]):
            print(f"sent as text; for the file's content: < {given[0]}", file=sys.stderr)
        return given[0]
    raise PayloadUnreadable("give NAME=value fields, or one text, or nothing and the body on stdin")
