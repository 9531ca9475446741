"""The one-shot job that makes the streams and consumers: `python -m shared.bootstrap`.

It may run at any time and any number of times; it alone changes them.
"""

from __future__ import annotations

import asyncio

from shared import policy, settings, streams
from shared.bus import connect
from shared.policy import Policy
from shared.settings import Settings


def wanted(chosen: Settings, tenant: Policy) -> streams.Wanted:
    """Return all streams and consumers of one tenant's cell."""
    return streams.Wanted(
        streams=streams.stream_configs(
            replicas=chosen.replicas, duplicate_window_seconds=chosen.duplicate_window_seconds
        ),
        consumers=[
            *streams.ingest_consumers(tenant.tenant, tenant.accounts, chosen.normalise_batch),
            *streams.router_consumers(),
            *streams.notify_consumers(),
        ],
    )


async def bootstrap(chosen: Settings) -> None:
    """Create or verify everything. Raises: StreamDrift, BusUnavailable, PolicyInvalid."""
    tenant = policy.load(chosen.policy)
    bus = await connect(chosen.nats_url, "bootstrap")
    try:
        await streams.ensure(bus, wanted(chosen, tenant))
    finally:
        await bus.close()


if __name__ == "__main__":
    asyncio.run(bootstrap(settings.load()))
