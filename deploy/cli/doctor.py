"""`tellonce doctor`: examines the set-up; each finding has a code, what is wrong and how to mend it."""

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from deploy import bus_users, rights
from deploy.cli.configured import check_secrets, read_policies, read_secrets, read_settings
from deploy.embedded import binaries, errors, postgres, state, status, wire
from deploy.embedded.ports import free_ports, port_is_free
from deploy.embedded.state import PORT_NAMES
from shared import secret_values

OLDEST_PYTHON = (3, 11)
OLDEST_NATS = (2, 12)
LEAST_FREE_BYTES = 1024 * 1024 * 1024

Check = Callable[[argparse.Namespace], str]


def doctor(chosen: argparse.Namespace) -> int:
    """Examine everything and show all findings, each once; 0 if there is none, else 1."""
    good: list[str] = []
    found: dict[tuple[str, str], errors.SetupError] = {}
    for check in CHECKS:
        try:
            good.append(check(chosen))
        except errors.SetupError as error:
            # What one check found wrong may keep others from looking: they raise the same.
            found.setdefault((error.code, str(error)), error)
    findings = list(found.values())
    if chosen.json:
        shown = [finding.problem() for finding in findings]
        print(json.dumps({"ok": not findings, "good": good, "findings": shown}))
    else:
        for line in good:
            print(f"ok    {line}")
        for finding in findings:
            print(f"WRONG {finding.code}: {finding}")
            if isinstance(finding, errors.StackUnhealthy):
                # Its sentence is the same whatever is wrong; the codes in here name the remedies.
                for name, told in finding.details.items():
                    print(f"      {name}: {told or '-'}")
            print(f"      to mend it: {finding.how_to_mend}")
    return 1 if findings else 0


def python_version(_: argparse.Namespace) -> str:
    """Raises: PythonTooOld."""
    if sys.version_info < OLDEST_PYTHON:
        raise errors.PythonTooOld(version=sys.version.split()[0])
    return f"Python {sys.version.split()[0]}"


def variables(_: argparse.Namespace) -> str:
    """Raises: SettingUnreadable, which names the variable and its limit."""
    read_settings()
    return "every TELLONCE_ variable is within its limits"


def nats_binary(_: argparse.Namespace) -> str:
    """Raises: BinaryMissing, BinaryUnusable."""
    if os.environ.get("TELLONCE_NATS_URL"):
        return "nats-server is not needed: TELLONCE_NATS_URL names one"
    return _examined(binaries.nats_server(), OLDEST_NATS)


def postgres_binary(_: argparse.Namespace) -> str:
    """Raises: BinaryMissing, BinaryUnusable."""
    if os.environ.get("TELLONCE_POSTGRES_DSN"):
        return "postgres is not needed: TELLONCE_POSTGRES_DSN names one"
    return _examined(binaries.postgres_folder() / "postgres", (binaries.OLDEST_POSTGRES,))


def outside_servers(_: argparse.Namespace) -> str:
    """Servers given by an address must answer. Raises: AddressInvalid."""
    url = os.environ.get("TELLONCE_NATS_URL")
    dsn = os.environ.get("TELLONCE_POSTGRES_DSN")
    if url:
        try:
            bus = read_settings().bus_address()
            asyncio.run(wire.request(bus, "$JS.API.INFO", timeout_seconds=postgres.PROBE_SECONDS))
        except wire.NotReached as error:
            raise errors.AddressInvalid(
                "no JetStream server answers at TELLONCE_NATS_URL"
            ) from error
    if dsn and not asyncio.run(postgres.answers(dsn)):
        raise errors.AddressInvalid("no Postgres answers at TELLONCE_POSTGRES_DSN")
    return "servers given by address answer" if url or dsn else "both servers are embedded"


def ports(chosen: argparse.Namespace) -> str:
    """Raises: NoFreePort, PortTaken, SettingUnreadable."""
    free_ports(len(PORT_NAMES))
    chosen_settings = read_settings()
    asked = chosen_settings.ingest_port
    if asked == 0:
        return "free ports"
    ours = state.read_status(state.data_folder(chosen.data)).addresses.get("ingest", "")
    if not port_is_free(asked, chosen_settings.ingest_host) and not ours.endswith(f":{asked}"):
        raise errors.PortTaken(port=asked)
    return f"port {asked} for ingest"


def data_folder(chosen: argparse.Namespace) -> str:
    """Raises: DataFolderUnusable, DataFolderOutdated."""
    folder = state.data_folder(chosen.data)
    state.check_layout(folder)
    place = _existing(folder)
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise errors.DataFolderUnusable(folder=str(folder), reason=error.strerror) from error
    return f"data folder {folder}"


def disk_space(chosen: argparse.Namespace) -> str:
    """Raises: DiskFull below LEAST_FREE_BYTES."""
    free_bytes = _free_bytes(_existing(state.data_folder(chosen.data)))
    if free_bytes < LEAST_FREE_BYTES:
        raise errors.DiskFull(free_bytes=free_bytes, least_bytes=LEAST_FREE_BYTES)
    return f"{free_bytes // 1024**3} GiB of disk space"


def policy(chosen: argparse.Namespace) -> str:
    """Raises: PolicyUnusable if it cannot be read or does not fit the schema, SettingUnreadable."""
    path, found = read_policies(chosen.tenant_policy)
    return f"policy {path} of {', '.join(each.tenant for each in found)}"


def secrets(chosen: argparse.Namespace) -> str:
    """Every secret that a policy needs must have a value.

    Raises: SecretMissing, SettingUnreadable for the secrets file, PolicyUnusable.
    """
    path, found = read_policies(chosen.tenant_policy)
    there = read_secrets(path)
    needed = sorted({name for each in found for name in secret_values.needed_secrets(each)})
    check_secrets(needed, there)
    return f"secrets {', '.join(needed)}"


def integrations(chosen: argparse.Namespace) -> str:
    """Every integration that a policy names must be a user of the embedded bus. Raises: UserMissing, PolicyUnusable."""
    folder = state.data_folder(chosen.data)
    named = rights.integrations(read_policies(chosen.tenant_policy)[1])
    if "nats" not in state.read_status(folder).pids:
        return "integrations become users of the embedded bus when it starts"
    missing = [user for user in named if user not in bus_users.known(folder / state.USERS)]
    if missing:
        raise errors.UserMissing(f"{errors.UserMissing.sentence}: {', '.join(missing)}")
    return f"integrations {', '.join(named) or 'none'}"


def running_stack(chosen: argparse.Namespace) -> str:
    """If a stack runs on the folder, everything in it must answer. Raises: StackUnhealthy."""
    folder = state.data_folder(chosen.data)
    found = asyncio.run(status.examine(folder))
    if found.state == "stopped":
        return "no stack runs on the data folder"
    if found.state != "ready":
        silent = (
            asyncio.run(status.silent_parts(folder, found)) if "nats" in found.addresses else []
        )
        raise errors.StackUnhealthy(
            state=found.state,
            silent=", ".join(silent),
            troubles="; ".join(
                f"{name}: {', '.join(troubles)}" for name, troubles in found.troubles.items()
            ),
            logs=str(folder / "logs"),
        )
    waits = ", ".join(f"{name} {each}" for name, each in found.waiting.items())
    return f"the running stack is ready; waiting: {waits}"


CHECKS: tuple[Check, ...] = (
    python_version,
    variables,
    nats_binary,
    postgres_binary,
    outside_servers,
    ports,
    data_folder,
    disk_space,
    policy,
    secrets,
    integrations,
    running_stack,
)


def _examined(binary: Path, oldest: tuple[int, ...]) -> str:
    found = binaries.version(binary)
    shown = ".".join(map(str, found))
    if found < oldest:
        raise errors.BinaryUnusable(f"{binary.name} {shown} is too old", binary=str(binary))
    return f"{binary.name} {shown} ({binary})"


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.exists())
