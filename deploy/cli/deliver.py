"""`tellonce deliver`: one signed delivery to a door, as its provider would; to try things out.

tellonce deliver form/contact email=a@mail.example message=Hello
tellonce deliver form/contact '{"submission_id": "f-1", "email": "a@mail.example", "message": "Hello"}'
tellonce deliver email/shop < mail.eml

Prints the door's status and answer, and on standard error what its channel reads in what was taken: a door takes
what nobody can read, too. Exit codes: 0 taken, 1 refused, 2 not reached.
What the policy has no account for, and what its provider cannot send, is refused here with the code of a door.
"""

import argparse
import asyncio
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from deploy.cli import channels
from deploy.cli.configured import named_policy, read_policy, read_secrets, read_settings
from deploy.embedded import errors, state
from deploy.story.errors import StepFailed
from deploy.story.providers import PROVIDERS, doors, provider_of
from services.ingest.domain.delivery import RawDelivery
from services.ingest.domain.outcome import Ignored, Quarantined
from shared import events
from shared.errors import AccountUnknown, PayloadUnreadable, SignatureInvalid
from shared.policy import Account

EXIT_REFUSED = 1
EXIT_NOT_REACHED = 2
FIELD = re.compile(r"([\w.-]+)=(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A delivery, and whose it is. `key`: what it is signed with, empty where the account has no such secret."""

    delivery: doors.Delivery
    tenant: str
    account: str
    rules: Account
    key: str


def deliver(chosen: argparse.Namespace) -> int:
    """Make the delivery and send it until the door says something else than "later". Raises: SetupError."""
    try:
        prepared = _prepared(chosen)
    except (AccountUnknown, PayloadUnreadable) as error:
        print(json.dumps({"error": error.problem()}, ensure_ascii=False))
        return EXIT_REFUSED
    try:
        answer = asyncio.run(doors.deliver(prepared.delivery))
    except StepFailed as failed:
        print(f"not reached ({failed.got})", file=sys.stderr)
        return EXIT_NOT_REACHED
    print(f"{answer.status} {answer.text}")
    if not answer.refused:
        print(_what_is_read(prepared), file=sys.stderr)
    elif answer.code == SignatureInvalid.code and not prepared.key:
        print(f"{prepared.account} has no secret `signing`: its door is shut", file=sys.stderr)
    return EXIT_REFUSED if answer.refused else 0


def _prepared(chosen: argparse.Namespace) -> _Prepared:
    """Raises: AccountUnknown, PayloadUnreadable, SetupError."""
    path, policy = read_policy(named_policy(chosen), chosen.tenant)
    account = policy.accounts.get(chosen.account)
    if account is None:
        known = [name for name in policy.accounts if name.partition("/")[0] in PROVIDERS]
        print(f"there are: {', '.join(sorted(known))}", file=sys.stderr)
        raise AccountUnknown(account=chosen.account)
    provider = provider_of(chosen.account)
    key = doors.secret_of(account, read_secrets(path))
    public_url = read_settings().public_url
    door = doors.door_of(_address(chosen), public_url, policy.tenant, chosen.account)
    delivery = doors.make_delivery(provider, door, _content(chosen.content), key, {})
    return _Prepared(delivery, policy.tenant, chosen.account, account, key)


def _what_is_read(prepared: _Prepared) -> str:
    """Return in a line what ingest makes of the delivery, by this policy."""
    channel, _, name = prepared.account.partition("/")
    raw = RawDelivery(
        tenant=prepared.tenant,
        channel=channel,
        account=name,
        rules=prepared.rules,
        sequence=1,
        body=prepared.delivery.body,
        headers=list(prepared.delivery.headers.items()),
        path=f"/in/{prepared.tenant}/{prepared.account}",
        received=datetime.now(UTC),
    )
    parsed, reports = channels.read(raw)
    match parsed:
        case Ignored():
            return f"ignored: {parsed.kind}"
        case Quarantined():
            return f"not read: {parsed.code}; `tellonce parked list` shows it"
    read = [each.type for _, each in reports if not isinstance(each, events.PayloadQuarantined)]
    left = [each.open.code for _, each in reports if isinstance(each, events.PayloadQuarantined)]
    unread = f"; not read: {', '.join(left)}; `tellonce parked list` shows it" if left else ""
    return f"read: {', '.join(read)}{unread}"


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
