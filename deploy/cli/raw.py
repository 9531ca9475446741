"""`tellonce raw POSITION`: one delivery as RAW holds it: its fields on standard error, its bytes on standard output.

Exit codes: 0 shown, 1 there is none (any more), 2 not reached.
"""

import argparse
import asyncio
import sys

from deploy.embedded import state
from deploy.embedded.errors import AddressInvalid
from services.ingest.domain.delivery import RawDelivery
from services.ingest.handlers import raw_store
from services.ingest.handlers.body_store import BodyStore
from shared import errors, policy, streams
from shared.bus import Bus, connect
from shared.bus_address import BusAddress

EXIT_NONE = 1
EXIT_NOT_REACHED = 2


def show(chosen: argparse.Namespace) -> int:
    """Print a delivery. Raises: AddressInvalid if no stack runs on the data folder."""
    folder = state.data_folder(chosen.data)
    found = state.read_status(folder)
    if "nats" not in found.addresses:
        raise AddressInvalid(
            "no stack runs on the data folder",
            mend="start one with `tellonce up`, or name its folder with --data",
        )
    try:
        delivery = asyncio.run(_read(state.bus_address(folder, found), chosen.position))
    except errors.BusUnavailable:
        print("not reached", file=sys.stderr)
        return EXIT_NOT_REACHED
    if delivery is None:
        print(f"RAW holds no delivery at position {chosen.position}", file=sys.stderr)
        return EXIT_NONE
    for line in (
        f"{delivery.channel}/{delivery.account}  {delivery.received.isoformat()}",
        delivery.path,
    ):
        print(line, file=sys.stderr)
    for name, value in delivery.headers:
        print(f"{name}: {value}", file=sys.stderr)
    sys.stdout.buffer.write(delivery.body)
    return 0


async def _read(address: BusAddress, position: int) -> RawDelivery | None:
    bus = await connect(address, "raw")
    try:
        return await _delivery(bus, position)
    finally:
        await bus.close()


async def _delivery(bus: Bus, position: int) -> RawDelivery | None:
    stored = await bus.leader_get(streams.RAW, sequence=position)
    if stored is None:
        return None
    _, _, tenant, channel, account = stored.subject.split(".")
    raw = raw_store.raw_delivery(
        tenant,
        f"{channel}/{account}",
        policy.Account(queue="none"),
        sequence=stored.sequence,
        body=stored.body,
        fields=stored.headers,
        stored=stored.stored,
    )
    if raw.elsewhere is None:
        return raw
    async with BodyStore(bus).whole(raw) as whole:
        return whole
