"""`tellonce status`: how the stack of a data folder is; without one, how the services are beside TELLONCE_NATS_URL."""

import argparse
import asyncio
import os

from deploy.cli.configured import read_settings
from deploy.embedded import state
from deploy.embedded.status import examine, examine_services

MEBIBYTE = 1024 * 1024


def status(chosen: argparse.Namespace) -> int:
    """Print it; 0 if it is ready, else 1."""
    found = asyncio.run(_found(chosen))
    if chosen.json:
        print(found.as_json())
    else:
        print(found.state)
        for name, address in found.addresses.items():
            print(f"  {name:<9} {address}")
        for name, address in found.monitors.items():
            print(f"  monitor   {name} {address}")
        if found.position is not None:
            print(f"  position  {found.position}")
        for name, waits in found.waiting.items():
            for line in _lines(name, waits):
                print(f"  waiting   {line}")
        for name, free_bytes in found.free_bytes.items():
            print(f"  disk      {name} {free_bytes // MEBIBYTE} MiB free")
        for name, troubles in found.troubles.items():
            for trouble in troubles:
                print(f"  TROUBLE   {name} {trouble}")
    return 0 if found.state == "ready" else 1


def _lines(name: str, waits: object) -> list[str]:
    """A part of the backlog; one by lane as a line for each."""
    if not isinstance(waits, dict):
        return [f"{name} {waits}"]
    return [
        f"{name} {lane} {each['contact_events']} since {each['oldest']}"
        for lane, each in waits.items()
    ]


async def _found(chosen: argparse.Namespace) -> state.Status:
    """Raises: AddressInvalid for a server given by an address that is none."""
    found = await examine(state.data_folder(chosen.data))
    if found.state != "stopped" or not os.environ.get("TELLONCE_NATS_URL"):
        return found
    return await examine_services(read_settings().bus_address())
