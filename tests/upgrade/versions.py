"""The services of two versions, started and stopped one by one on the servers of one stack."""

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from deploy.embedded import process
from deploy.embedded.ports import free_ports
from deploy.embedded.stack import ROOT, EmbeddedStack
from shared.bus import Bus
from tests.faults.asking import wait
from tests.support.waiting import eventually

Version = Literal["old", "new"]
PREVIOUS = "d66ed7c"
"""It knows no lanes of notify and of contacts, no messages that are handed on, no backlog that is told: consumers,
timers and events of today."""
TELL_TYPES = "from shared.events import event_types; print(*event_types())"
PING_SECONDS = 0.3
UP_SECONDS = 60.0


def code_of(commit: str, folder: Path) -> Path | None:
    """Put the code of a commit into a new folder and return it; `None` where this clone does not hold the commit."""
    git = shutil.which("git")
    if git is None:
        return None
    archive = subprocess.run(
        [git, "-C", str(ROOT), "archive", "--format=tar", commit], capture_output=True, check=False
    )
    if archive.returncode != 0:
        return None
    folder.mkdir(parents=True)
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    return folder


def types_of(folder: Path) -> frozenset[str]:
    """Return the types of events that the code in a folder can read."""
    told = subprocess.run(
        [sys.executable, "-c", TELL_TYPES],
        cwd=folder,
        env={"PYTHONPATH": str(folder)},
        capture_output=True,
        check=True,
        text=True,
    )
    return frozenset(told.stdout.split())


@dataclass
class Fleet:
    """What runs of each service, by version. `code`: the folder of each version's code.

    `stays`: whether the new version begins what the old one cannot read.
    """

    stack: EmbeddedStack
    bus: Bus
    code: Mapping[Version, Path]
    stays: bool = False
    running: dict[tuple[str, Version], process.Child] = field(default_factory=dict)

    async def bootstrap(self, version: Version) -> None:
        """Run the bootstrap job of a version. Raises: AssertionError when it refuses."""
        job = await process.Child.start(self._program("bootstrap", version, "deploy.bootstrap"))
        code = await job.wait()
        assert code == 0, f"{version} bootstrap: {process.last_refusal(job.program.log_path)}"

    async def start(self, services: Sequence[str], version: Version) -> None:
        """Start some and wait until of each one more answers than before."""
        await asyncio.gather(*(self._start(service, version) for service in services))

    async def _start(self, service: str, version: Version) -> None:
        before = await self.answering(service)
        program = self._program(service, version, f"services.{service}")
        self.running[service, version] = child = await process.Child.start(program)

        async def one_more() -> bool:
            assert child.exit_code is None, f"{version} {service} ended: {_tail(program)}"
            return len(await self.answering(service)) > len(before)

        await eventually(one_more, UP_SECONDS)

    async def stop(self, services: Sequence[str], version: Version) -> None:
        """End some in order, one after another."""
        for service in services:
            child = self.running.pop((service, version))
            assert child.exit_code is None, f"{version} {service} ended: {_tail(child.program)}"
            await child.stop()

    async def stop_all(self) -> None:
        await asyncio.gather(*(child.stop() for child in self.running.values()))

    async def answering(self, service: str) -> set[str]:
        """Return the ids of all processes of a service that say that they are ready."""
        found: set[str] = set()
        inbox = self.bus.new_inbox()
        listening = await self.bus.noting(
            inbox, lambda message: found.add(_id_of(message.body, message.headers))
        )
        await self.bus.publish(f"$SRV.PING.{service}", reply=inbox)
        await wait(PING_SECONDS)
        await listening.stop()
        return found - {""}

    def door(self, version: Version) -> str:
        """Return where ingest of a version listens."""
        host, _, port = self.stack.addresses["ingest"].rpartition(":")
        return f"{host}:{port if version == 'old' else self._other_port}"

    def __post_init__(self) -> None:
        (self._other_port,) = free_ports(1)

    def _program(self, name: str, version: Version, module: str) -> process.Program:
        here = self.code[version]
        program = self.stack.service_program(name, (sys.executable, "-m", module))
        environment = {
            **program.env,
            "PYTHONPATH": str(here),
            "TELLONCE_INGEST_PORT": self.door(version).rpartition(":")[2],
            "TELLONCE_MONITOR_PORT": "0",
            "TELLONCE_DEFAULTS": "ours" if self.stays else "before",
        }
        log_path = program.log_path.with_name(f"{name}-{version}.log")
        return replace(program, folder=here, env=environment, log_path=log_path)


def _id_of(body: bytes, headers: Mapping[str, str]) -> str:
    return "" if headers.get("Status") else str(json.loads(body)["id"])


def _tail(program: process.Program) -> str:
    return process.last_refusal(program.log_path)
