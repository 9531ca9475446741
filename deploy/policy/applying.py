"""Puts a policy where a running stack reads it, and waits until every service works by it.

What would be refused is refused before anything is touched. A service may still know a reason of its own, as a secret
that only it lacks: then what stood there before is put back (docs/adr/0094).
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded import probes
from deploy.embedded.errors import PolicyNotApplied
from deploy.embedded.status import ATTEMPTS
from shared import SERVICES, errors, files
from shared.bus_address import BusAddress
from shared.policies import PolicyFiles
from shared.policy import Policy, parse

TAKEN_UP_SECONDS = 30.0
ASK_SECONDS = 0.5
TAKEN_BACK = (errors.PolicyInvalid.code, errors.SettingInvalid.code)
"""What a service says of a file that it cannot work by."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a policy goes. `before`: what stands there, `None` where nothing does; `old`: the policy in it."""

    path: Path
    before: bytes | None
    old: Policy | None


def find_target(place: Path, content: bytes) -> tuple[Target, Policy]:
    """Return where a policy belongs in a file or folder of policies, and the policy.

    In a folder that is the file of its tenant, else `<tenant>.yaml`.
    Raises: PolicyInvalid for a policy that cannot be taken there, PolicyNotApplied where there is no place for it.
    """
    new = parse(content)
    if not place.is_dir():
        return _checked(place, place.name, content, new)
    contents = PolicyFiles(place).contents()
    for name, held in contents.items():
        old = _parsed(held)
        if old is not None and old.tenant == new.tenant:
            return _checked(place, name, content, new)
    name = f"{new.tenant}.yaml"
    if name in contents:
        raise PolicyNotApplied(f"{name} is another tenant's", tenant=new.tenant)
    return _checked(place, name, content, new)


def _checked(place: Path, name: str, content: bytes, new: Policy) -> tuple[Target, Policy]:
    """Raises: PolicyInvalid for what contradicts another tenant's policy."""
    every = PolicyFiles(place)
    contents = dict(every.contents())
    held = contents.get(name)
    every.read(contents={**contents, name: content})
    if name in every.refused:
        raise every.refused[name]
    before = held if isinstance(held, bytes) else None
    path = place / name if place.is_dir() else place
    return Target(path, before, _parsed(before)), new


def _parsed(content: bytes | str | None) -> Policy | None:
    try:
        return parse(content) if isinstance(content, bytes) else None
    except errors.PolicyInvalid:
        return None


def put(target: Target, content: bytes) -> None:
    """Raises: PolicyNotApplied where the file cannot be replaced; then it is as it was."""
    try:
        files.replace(target.path, content)
    except OSError as error:
        raise PolicyNotApplied(
            f"{target.path} cannot be written: {error.strerror}",
            mend="change it where it comes from, as a mounted map is changed",
        ) from error


def put_back(target: Target) -> None:
    """Have what stood there before stand there again. Raises: PolicyNotApplied."""
    if target.before is None:
        target.path.unlink(missing_ok=True)
    else:
        put(target, target.before)


async def ask_around(bus: BusAddress) -> None:
    """Raises: PolicyNotApplied where a service does not answer: nobody would know whether it works by the policy."""
    silent = list(SERVICES)
    for _ in range(ATTEMPTS):
        silent = [each for each in silent if await probes.health(bus, each) is None]
    if silent:
        raise PolicyNotApplied(
            f"no answer from: {', '.join(silent)}", mend="`tellonce status` says how the stack is"
        )


async def taken_up(bus: BusAddress, policy: Policy, name: str, say: Callable[[str], None]) -> None:
    """Wait until every service says that it works by the policy in the file `name`.

    Raises: PolicyNotApplied, with the service that refuses it, or those that have not taken it up in time.
    """
    waits: Sequence[str] = SERVICES
    try:
        async with asyncio.timeout(TAKEN_UP_SECONDS):
            while waits:
                waits = [each for each in waits if not await _has_it(bus, each, policy, name)]
                say(f"taken up by {len(SERVICES) - len(waits)} of {len(SERVICES)} services")
                if waits:
                    await asyncio.sleep(ASK_SECONDS)
    except TimeoutError:
        raise PolicyNotApplied(f"not taken up by: {', '.join(waits)}", waits=True) from None


async def _has_it(bus: BusAddress, service: str, policy: Policy, name: str) -> bool:
    """Raises: PolicyNotApplied where the service cannot work by it."""
    health = await probes.health(bus, service)
    if health is None:
        return False
    for trouble in health["troubles"]:
        if trouble["code"] in TAKEN_BACK and trouble["about"] == name:
            raise PolicyNotApplied(f"{service} refuses it: {trouble['code']}", service=service)
    return bool(health.get("policies", {}).get(policy.tenant) == policy.version)
