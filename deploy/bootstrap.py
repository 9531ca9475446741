"""The one-shot job that makes the streams and consumers, and founds the ledger: `python -m deploy.bootstrap`.

It may run at any time and any number of times; it alone changes them.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable

import msgspec

from deploy import ledger
from shared import ensuring, errors, policies, settings, streams
from shared.bus import connect
from shared.policy import Policy

ENSURE_SECONDS = 30.0
RETRY_DELAY_SECONDS = 0.2


def wanted(chosen: settings.Settings, tenants: Iterable[Policy]) -> streams.WantedStreams:
    """Return all streams and consumers of a cell with these tenants."""
    return streams.WantedStreams(
        streams=streams.stream_configs(
            replicas=chosen.replicas, duplicate_window_seconds=chosen.duplicate_window_seconds
        ),
        consumers=[
            *(each for tenant in tenants for each in _of_tenant(chosen, tenant)),
            *streams.router_consumers(),
            *streams.notify_consumers(),
        ],
    )


def _of_tenant(chosen: settings.Settings, tenant: Policy) -> list[streams.Consumer]:
    """Return the consumers that are one tenant's."""
    return [
        *streams.ingest_consumers(tenant.tenant, tenant.accounts, chosen.normalise_batch),
        streams.ingest_attachments(tenant.tenant),
    ]


async def bootstrap(chosen: settings.Settings) -> None:
    """Create or verify everything, and give the ledger its identity.

    One tenant's file that cannot be taken is refused at the end: the others have what they need by then.
    Raises: StreamDrift, LedgerContradicted, MarkUnreadable, BusUnavailable, PolicyInvalid.
    """
    files = policies.PolicyFiles(chosen.policy)
    tenants = files.read()
    for error in [] if tenants else files.refused.values():
        raise error
    bus = await connect(chosen.bus_address(), "bootstrap")
    try:
        # Before: a ledger that is gone is not made anew beside what was made of it.
        await _patiently(lambda: ledger.check(bus, chosen))
        await _patiently(lambda: ensuring.ensure(bus, wanted(chosen, tenants)))
        await _patiently(lambda: ledger.found(bus, chosen, tenants[0].tenant))
    finally:
        await bus.close()
    for error in files.refused.values():
        raise error


async def _patiently(step: Callable[[], Awaitable[None]]) -> None:
    """A cluster that has just started places no stream for a moment: try again, up to ENSURE_SECONDS."""
    deadline = asyncio.get_running_loop().time() + ENSURE_SECONDS
    while True:
        try:
            return await step()
        except errors.BusUnavailable:
            if asyncio.get_running_loop().time() >= deadline:
                raise
        await asyncio.sleep(RETRY_DELAY_SECONDS)


def main() -> None:
    """Run the job; a refusal is one line of JSON on stderr and exit code 1."""
    try:
        asyncio.run(bootstrap(settings.load()))
    except errors.TellonceError as error:
        sys.stderr.write(msgspec.json.encode(error.problem()).decode() + "\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
