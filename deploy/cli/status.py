"""`tellonce status`: how the stack of a data folder is."""

import argparse
import asyncio

from deploy.embedded import state
from deploy.embedded.status import examine


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
    return 0 if found.state == "ready" else 1
