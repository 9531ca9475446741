"""`tellonce measures`: the measures of a contact centre over a time, computed from the ledger alone."""

import argparse

import msgspec

from deploy.cli.servers import on_servers
from deploy.embedded.errors import SetupError
from services.history.domain.measures import HandledWork, Scope, measured
from shared.bus import Bus
from shared.codec import PlainCodec
from shared.ledger.jetstream import NatsLedger
from shared.policy import Policy
from shared.queries import Measures
from shared.settings import Settings


class NotMeasured(SetupError):
    code = "setup.not_measured"
    sentence = "the ledger could not be read"
    mend = "read the code; `tellonce doctor` says what is wrong with the set-up"


def measures(chosen: argparse.Namespace) -> int:
    """Print what was measured; 0. Raises: SetupError."""
    scope = Scope(
        since=chosen.since,
        until=chosen.until,
        queue=chosen.queue,
        agent=chosen.agent,
        channel=chosen.channel,
    )

    async def act(bus: Bus, loaded: Settings, _: list[Policy]) -> Measures:  # noqa: ARG001  the shared shape
        return measured(await handled(bus, chosen.tenant), scope)

    found = msgspec.to_builtins(on_servers(chosen, act, NotMeasured))
    if chosen.json:
        print(msgspec.json.encode(found).decode())
        return 0
    for name, value in found.items():
        print(f"{name:42} {'-' if value is None else format(value, '.6g')}")
    return 0


async def handled(bus: Bus, tenant: str) -> HandledWork:
    """Return what was handled of a tenant until now: the whole ledger is read. Raises: LedgerUnavailable."""
    found, ledger = HandledWork(), NatsLedger(bus, PlainCodec())
    end = await ledger.position()
    if end == 0:
        return found
    batches = ledger.follow(0)
    async for batch in batches:
        for each in batch:
            if each.event.tenant == tenant:
                found.see(each)
        if batch[-1].sequence >= end:
            break
    await batches.aclose()  # type: ignore[attr-defined]
    return found
