"""Makes the users of a cell's bus, for a server's configuration.

`python -m deploy.bus_users FOLDER [USER ...] [--policy PATH] [--rotate USER ...] [--retire]` makes what is missing in a
folder: each user's seed in `<user>.seed`, which only its owner may read, and its public key in `<user>.pub`; where
seeds are kept elsewhere, public keys are enough. `users.conf` there has the accounts, the users and their rights: a
configuration includes it, and a running server reads it anew at SIGHUP.

USER: beside those of the house `desk-<tenant>`, `integration-<tenant>.<name>`, or `keeper`, who may do everything.

`--policy PATH`, a file or a folder of them, makes the user of each integration that is named there, and says which
integrations have a user but are not named.

`--rotate USER` (`all`: everybody) makes a new seed. The key of before stands in `<user>.pub.old`, and counts until
`--retire`.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from deploy import rights
from shared import errors, files, nkey, policies

CELL, SYSTEM = "TELLONCE", "SYS"
"""The account with the streams and the users of a cell; that of the servers, with none."""
OUTSIDE = {rights.DESK: "DESKS", rights.INTEGRATION: "INTEGRATIONS"}
"""The accounts of tenants' users. They are there without a user, too: a server that learns of an account when it reads
its configuration anew begins with the imports only when it reads it once more."""
CONFIG = "users.conf"
SEED, PUBLIC, OLD = ".seed", ".pub", ".pub.old"
EVERYBODY = "all"


def make(folder: Path, users: Iterable[str] = ()) -> Path:
    """Make what is missing of the users of a cell, these among them; return the file for the server's configuration.

    Raises: OSError, SettingInvalid; ValueError for a user that there is not.
    """
    wanted = (*rights.HOUSE, *users)
    _check(wanted)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for user in wanted:
        seed, public = seed_file(folder, user), _public_file(folder, user)
        if seed.exists() or not public.exists():
            public.write_text(nkey.make(seed).public + "\n")
    config = folder / CONFIG
    files.replace(config, (json.dumps(_configuration(folder), indent=1) + "\n").encode())
    return config


def rotate(folder: Path, users: Iterable[str]) -> None:
    """Have users get new seeds when they are made; their keys of before count until they are retired.

    Raises: OSError; ValueError for a user that there is not.
    """
    wanted = tuple(users)
    _check(wanted)
    for user in wanted:
        _public_file(folder, user).replace(folder / f"{user}{OLD}")
        seed_file(folder, user).unlink(missing_ok=True)


def retire(folder: Path) -> None:
    """Let the keys of before count no more. Raises: OSError."""
    for old in folder.glob(f"*{OLD}"):
        old.unlink()


def seed_file(folder: Path, user: str) -> Path:
    """Return where a user's seed stands."""
    return folder / f"{user}{SEED}"


def known(folder: Path) -> set[str]:
    """Return whose keys stand there. Raises: OSError."""
    return {user for user, _ in _keys(folder)}


def strangers(folder: Path) -> list[str]:
    """Return whose keys stand there and count for nothing, for there is no such user (any more). Raises: OSError."""
    return sorted(user for user in known(folder) if not rights.is_user(user))


def _check(users: Iterable[str]) -> None:
    for user in users:
        rights.of(user, "")


def _configuration(folder: Path) -> dict[str, Any]:
    """Return the part of a server's configuration that says who is who and may do what. Raises: OSError."""
    asked = {subject: "service" for each in rights.ASKED.values() for subject in each}
    told = {subject: "stream" for each in rights.TOLD.values() for subject in each}
    exports = [{kind: subject} for subject, kind in (asked | told).items()]
    accounts: dict[str, dict[str, Any]] = {
        CELL: {"jetstream": "enabled", "users": [], "exports": exports},
        **{OUTSIDE[kind]: {"users": [], "imports": _imports(kind)} for kind in rights.OUTSIDE},
        SYSTEM: {"users": []},
    }
    for user, public in _keys(folder):
        if rights.is_user(user):
            kind = rights.kind_of(user)
            accounts[OUTSIDE[kind] if kind else CELL]["users"].append(_entry(user, public))
    return {"accounts": accounts, "system_account": SYSTEM}


def _imports(kind: str) -> list[dict[str, Any]]:
    asked = (("service", subject) for subject in rights.ASKED[kind])
    told = (("stream", subject) for subject in rights.TOLD[kind])
    return [{each: {"account": CELL, "subject": subject}} for each, subject in (*asked, *told)]


def _keys(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield users with their public keys, those of before among them."""
    for suffix in (PUBLIC, OLD):
        for file in sorted(folder.glob(f"*{suffix}")):
            yield file.name.removesuffix(suffix), file.read_text().strip()


def _entry(user: str, public: str) -> dict[str, Any]:
    given = rights.of(user, public)
    return {
        "nkey": public,
        "permissions": {
            "publish": {"allow": list(given.publish), "deny": list(given.but)},
            "subscribe": {"allow": list(given.subscribe)},
        },
    }


def _with_seeds(folder: Path) -> list[str]:
    found = sorted(file.name.removesuffix(SEED) for file in folder.glob(f"*{SEED}"))
    return [user for user in found if rights.is_user(user)]


def _public_file(folder: Path, user: str) -> Path:
    return folder / f"{user}{PUBLIC}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; print the file for the server; on standard error, who is new or not let in."""
    parser = argparse.ArgumentParser(prog="python -m deploy.bus_users", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("user", nargs="*")
    parser.add_argument(
        "--policy", type=Path, help="makes the users of the integrations named there"
    )
    parser.add_argument("--rotate", action="append", default=[], metavar="USER", help="or `all`")
    parser.add_argument("--retire", action="store_true", help="keys of before count no more")
    chosen = parser.parse_args(arguments)
    try:
        for line in _done(chosen):
            sys.stderr.write(f"bus users: {line}\n")
    except (errors.TellonceError, OSError, ValueError) as error:
        sys.stderr.write(f"bus users: {error}\n")
        return 1
    sys.stdout.write(f"{chosen.folder / CONFIG}\n")
    return 0


def _done(chosen: argparse.Namespace) -> list[str]:
    """Do what the command line says; return what is to be told of it."""
    folder: Path = chosen.folder
    named = rights.integrations(policies.load_all(chosen.policy)) if chosen.policy else []
    before = known(folder)
    if chosen.retire:
        retire(folder)
    rotated = _with_seeds(folder) if EVERYBODY in chosen.rotate else chosen.rotate
    rotate(folder, rotated)
    make(folder, (*chosen.user, *named, *rotated))
    of_integrations = {user for user in before if rights.kind_of(user) == rights.INTEGRATION}
    unnamed = of_integrations - {*named, *chosen.user} if chosen.policy else set()
    return [
        *(f"new: {user}" for user in sorted(known(folder) - before)),
        *(f"new key: {user}" for user in rotated),
        *(f"left out, for there is no such user: {user}" for user in strangers(folder)),
        *(f"not named by the policy: {user}" for user in sorted(unnamed)),
    ]


if __name__ == "__main__":
    sys.exit(main())
