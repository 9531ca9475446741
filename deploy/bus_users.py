"""Makes the users of a cell's bus, for a server's configuration.

`python -m deploy.bus_users FOLDER [USER ...] [--rotate USER ...] [--retire]` makes what is missing in a folder: each
user's seed in `<user>.seed`, which only its owner may read, and its public key in `<user>.pub`; where seeds are kept
elsewhere, public keys are enough. `users.conf` there has the accounts, the users and their rights: a configuration
includes it, and a running server reads it anew at SIGHUP.

USER: beside those of the house `desk-<tenant>`, `integration-<tenant>`, or `keeper`, who may do everything.

`--rotate USER` (`all`: everybody) makes a new seed. The key of before stands in `<user>.old.pub`, and counts until
`--retire`.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from deploy import rights
from shared import errors, files, nkey

CELL, OUTSIDE, SYSTEM = "TELLONCE", "OUTSIDE", "SYS"
"""The account with the streams and the users of a cell; that of its tenants' users; that of the servers, with none."""
CONFIG = "users.conf"
SEED, PUBLIC, OLD = ".seed", ".pub", ".old.pub"
EVERYBODY = "all"


def make(folder: Path, users: Iterable[str] = ()) -> Path:
    """Make what is missing of the users of a cell, these among them; return the file for the server's configuration.

    Raises: OSError, SettingInvalid; ValueError for a user that there is not.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for user in (*rights.HOUSE, *users):
        seed, public = seed_file(folder, user), _public_file(folder, user)
        if seed.exists() or not public.exists():
            public.write_text(nkey.make(seed).public + "\n")
    config = folder / CONFIG
    files.replace(config, (json.dumps(_accounts(folder), indent=1) + "\n").encode())
    return config


def rotate(folder: Path, users: Iterable[str]) -> None:
    """Give users new seeds; their keys of before count until they are retired. Raises: OSError."""
    for user in users:
        _public_file(folder, user).replace(folder / f"{user}{OLD}")
        seed_file(folder, user).unlink(missing_ok=True)


def retire(folder: Path) -> None:
    """Let the keys of before count no more. Raises: OSError."""
    for old in folder.glob(f"*{OLD}"):
        old.unlink()


def seed_file(folder: Path, user: str) -> Path:
    """Return where a user's seed stands."""
    return folder / f"{user}{SEED}"


def _accounts(folder: Path) -> dict[str, Any]:
    """Return the part of a server's configuration that says who is who and may do what. Raises: OSError."""
    asked = [{"service": subject} for subject in rights.ASKED_FROM_OUTSIDE]
    told = [{"stream": subject} for subject in rights.TOLD_OUTSIDE]
    of_cell = [
        {kind: {"account": CELL, "subject": subject}}
        for each in (*asked, *told)
        for kind, subject in each.items()
    ]
    inside, outside = _users(folder, outside=False), _users(folder, outside=True)
    return {
        "accounts": {
            CELL: {"jetstream": "enabled", "users": list(inside), "exports": [*asked, *told]},
            OUTSIDE: {"users": list(outside), "imports": of_cell},
            SYSTEM: {"users": []},
        },
        "system_account": SYSTEM,
    }


def _users(folder: Path, *, outside: bool) -> Iterator[dict[str, Any]]:
    for file in sorted(folder.glob(f"*{PUBLIC}")):
        user, public = file.name.partition(".")[0], file.read_text().strip()
        given = rights.of(user, public)
        if rights.is_outside(user) != outside:
            continue
        yield {
            "nkey": public,
            "permissions": {
                "publish": {"allow": list(given.publish), "deny": list(given.but)},
                "subscribe": {"allow": list(given.subscribe)},
            },
        }


def _public_file(folder: Path, user: str) -> Path:
    return folder / f"{user}{PUBLIC}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; print the file for the server."""
    parser = argparse.ArgumentParser(prog="python -m deploy.bus_users", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("user", nargs="*")
    parser.add_argument("--rotate", action="append", default=[], metavar="USER", help="or `all`")
    parser.add_argument("--retire", action="store_true", help="keys of before count no more")
    chosen = parser.parse_args(arguments)
    folder: Path = chosen.folder
    try:
        if chosen.retire:
            retire(folder)
        every = [file.name.removesuffix(SEED) for file in folder.glob(f"*{SEED}")]
        rotate(folder, every if EVERYBODY in chosen.rotate else chosen.rotate)
        sys.stdout.write(f"{make(folder, chosen.user)}\n")
    except (errors.TellonceError, OSError, ValueError) as error:
        sys.stderr.write(f"bus users: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
