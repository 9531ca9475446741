"""The one-shot job that makes the streams and consumers, and founds the ledger: `python -m deploy.bootstrap`.

It may run at any time and any number of times; it alone changes them.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable

import msgspec

from deploy import ledger
from shared import ensuring, errors, policy, settings, streams
from shared.bus import connect

ENSURE_SECONDS = 30.0
RETRY_DELAY_SECONDS = 0.2


def wanted(chosen: settings.Settings, tenant: policy.Policy) -> streams.WantedStreams:
    """Return all streams and consumers of one tenant's cell."""
    return streams.WantedStreams(
        streams=streams.stream_configs(
            replicas=chosen.replicas, duplicate_window_seconds=chosen.duplicate_window_seconds
        ),
        consumers=[
            *streams.ingest_consumers(tenant.tenant, tenant.accounts, chosen.normalise_batch),
            streams.ingest_attachments(tenant.tenant),
            *streams.router_consumers(),
            *streams.notify_consumers(),
        ],
    )


async def bootstrap(chosen: settings.Settings) -> None:
    """Create or verify everything, and give the ledger its identity.

    Raises: StreamDrift, LedgerContradicted, MarkUnreadable, BusUnavailable, PolicyInvalid.
    """
    tenant = policy.load(chosen.policy)
    bus = await connect(chosen.nats_url, "bootstrap")
    try:
        # Before: a ledger that is gone is not made anew beside what was made of it.
        await _patiently(lambda: ledger.check(bus, chosen, tenant.tenant))
        await _patiently(lambda: ensuring.ensure(bus, wanted(chosen, tenant)))
        await _patiently(lambda: ledger.found(bus, chosen, tenant.tenant))
    finally:
        await bus.close()


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
