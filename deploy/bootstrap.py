"""The one-shot job that makes the streams and consumers: `python -m deploy.bootstrap`.

It may run at any time and any number of times; it alone changes them.
"""

import asyncio
import sys

import msgspec

from shared import errors, policy, settings, streams
from shared.bus import Bus, connect

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
            *streams.router_consumers(),
            *streams.notify_consumers(),
        ],
    )


async def bootstrap(chosen: settings.Settings) -> None:
    """Create or verify everything. Raises: StreamDrift, BusUnavailable, PolicyInvalid."""
    tenant = policy.load(chosen.policy)
    bus = await connect(chosen.nats_url, "bootstrap")
    try:
        await _patiently(bus, wanted(chosen, tenant))
    finally:
        await bus.close()


async def _patiently(bus: Bus, everything: streams.WantedStreams) -> None:
    """A cluster that has just started places no stream for a moment: try again, up to ENSURE_SECONDS."""
    deadline = asyncio.get_running_loop().time() + ENSURE_SECONDS
    while True:
        try:
            return await streams.ensure(bus, everything)
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
