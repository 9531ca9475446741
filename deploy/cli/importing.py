"""`tellonce import CHANNEL FILE...`: what a vendor exported of its history goes to the timelines, with its own dates.

All files together are one import. It may be stopped at any time and begun again: it goes on where it was, and the same
once more changes nothing. Nobody is told, nothing is offered to anybody. Standard error says how far it is, standard
output at its end one JSON object. Exit codes: 0 all is stored, 1 refused, 2 not reached.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from deploy.cli.ask import bus_address
from deploy.cli.configured import named_policy, read_policy, read_settings
from services.ingest.archives import ARCHIVES
from services.ingest.domain import archive
from services.ingest.domain.archive import Talk
from services.ingest.handlers.body_store import BodyStore
from services.ingest.handlers.importing import Importer
from services.ingest.handlers.raw_store import RawStore
from shared import errors
from shared.bus import connect
from shared.clock import SystemClock
from shared.policy import Policy

EXIT_REFUSED = 1
EXIT_NOT_REACHED = 2
TOLD_EVERY_SECONDS = 1.0


def import_history(chosen: argparse.Namespace) -> int:
    """Import the files. Raises: SetupError."""
    _, policy = read_policy(named_policy(chosen), chosen.tenant)
    try:
        account = _account(policy, chosen.channel, chosen.account)
        talks = _talks(chosen.channel, chosen.file)
    except (errors.AccountUnknown, errors.PayloadUnreadable) as error:
        print(json.dumps({"error": error.problem()}, ensure_ascii=False))
        return EXIT_REFUSED
    try:
        stored = asyncio.run(_import(chosen, policy.tenant, account, talks))
    except (errors.BusUnavailable, errors.JetStreamRefused, errors.DoorUnavailable) as error:
        print(f"not reached ({error.code}): begin again, it goes on here", file=sys.stderr)
        return EXIT_NOT_REACHED
    told = {"account": account, "talks": len(talks), "stored": stored}
    print(json.dumps({**told, "known": len(talks) - stored}))
    return 0


def _account(policy: Policy, channel: str, named: str | None) -> str:
    """Return the account that is meant: the one that is named, or the only one. Raises: AccountUnknown."""
    if channel not in ARCHIVES:
        print(f"there are: {', '.join(sorted(ARCHIVES))}", file=sys.stderr)
        raise errors.AccountUnknown("of this channel no history can be read", channel=channel)
    known = [each for each in policy.accounts if each.partition("/")[0] == channel]
    if not known:
        raise errors.AccountUnknown("the policy has no account of this channel", channel=channel)
    wanted = f"{channel}/{named.removeprefix(f'{channel}/')}" if named else "".join(known[:1])
    if wanted not in known or (named is None and len(known) > 1):
        raise errors.AccountUnknown("name an account of the policy", accounts=" ".join(known))
    return wanted


def _talks(channel: str, files: Sequence[str]) -> Sequence[Talk]:
    """Return what the files hold, the oldest first. Raises: PayloadUnreadable."""
    found: list[Talk] = []
    for name in files:
        try:
            found += ARCHIVES[channel].talks(Path(name).read_bytes())
        except OSError as error:
            raise errors.PayloadUnreadable(str(error.strerror), file=name) from error
        except errors.PayloadUnreadable as error:
            raise errors.PayloadUnreadable(str(error), file=name) from error
    return archive.in_order(found)


async def _import(
    chosen: argparse.Namespace, tenant: str, account: str, talks: Sequence[Talk]
) -> int:
    settings, clock = read_settings(), SystemClock()
    bus = await connect(bus_address(chosen, "ingest"), "import")
    try:
        store = RawStore(bus, BodyStore(bus), settings.header_max_bytes)
        channel, _, name = account.partition("/")
        importer = Importer(bus, store, clock, tenant, channel, name)
        return await importer.take(talks, _Progress(len(talks)).tell)
    finally:
        await bus.close()


class _Progress:
    """Says how far it is, at its beginning, its end, and each second between."""

    def __init__(self, of: int) -> None:
        self._of = of
        self._told = -TOLD_EVERY_SECONDS

    def tell(self, there: int) -> None:
        now = time.monotonic()
        if there == self._of or now - self._told >= TOLD_EVERY_SECONDS:
            self._told = now
            print(f"{there} of {self._of}", file=sys.stderr)
