"""`tellonce status`: how the stack of a data folder is."""

import argparse
import asyncio

from deploy.embedded import state
from deploy.embedded.status import examine

MEBIBYTE = 1024 * 1024


def status(chosen: argparse.Namespace) -> int:
    """Print it; 0 if it is ready, else 1."""
    found = asyncio.run(examine(state.data_folder(chosen.data)))
    if chosen.json:
        print(found.as_json())
    else:
        print(found.state)
        for name, address in found.addresses.items():
            print(f"  {name:<9} {address}")
        if found.position is not None:
            print(f"  position  {found.position}")
        for name, waits in found.waiting.items():
            print(f"  waiting   {name} {waits}")
        for name, free_bytes in found.free_bytes.items():
            print(f"  disk      {name} {free_bytes // MEBIBYTE} MiB free")
        for name, troubles in found.troubles.items():
            for trouble in troubles:
                print(f"  TROUBLE   {name} {trouble}")
    return 0 if found.state == "ready" else 1
