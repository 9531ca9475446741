"""Servers of tests in containers, as `make test-containers` has them.

The images are those of deploy/compose/compose.yaml. A container has the host's network, so that it listens on loopback
alone and keeps its port over a restart; its data lies in the test's folder. Nothing is pulled to clean up after us.
"""

import asyncio
import functools
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from typing_extensions import override

from deploy.embedded import errors, process

COMPOSE = Path(__file__).resolve().parents[2] / "deploy" / "compose" / "compose.yaml"
SERVERS = {"nats-server": "nats-1", "postgres": "postgres"}
"""Which service of the compose file has the image for a binary."""
INCLUDED = re.compile(r'^include "(.+)"$', re.MULTILINE)

os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
os.environ.setdefault("TESTCONTAINERS_CONNECTION_MODE", "docker_host")
os.environ.setdefault("TESTCONTAINERS_HOST_OVERRIDE", "127.0.0.1")

# They read the environment when they are imported.
from testcontainers.core.container import DockerContainer  # noqa: E402


@functools.cache
def services() -> Mapping[str, Mapping[str, Any]]:
    """Return the services of the compose file."""
    content = yaml.safe_load(COMPOSE.read_text("utf-8"))
    found: Mapping[str, Mapping[str, Any]] = content["services"]
    return found


class Contained(process.Child):
    """A program in a container: what `process.Child` is for one without."""

    def __init__(self, program: process.Program, container: DockerContainer) -> None:
        self.program = program
        self._docker = container
        self._pid = int(self._state()["Pid"])
        self._ended: int | None = None

    @classmethod
    @override
    async def start(cls, program: process.Program) -> "Contained":
        """Start it. Raises: ProgramNotStarted."""
        await asyncio.to_thread(program.before_start)
        return await asyncio.to_thread(cls._started, program)

    @classmethod
    def _started(cls, program: process.Program) -> "Contained":
        binary, *arguments = program.argv
        folder = _data_of(program)
        owner = _given_to_the_image(folder, Path(binary).name)
        container = DockerContainer(services()[SERVERS[Path(binary).name]]["image"])
        container.with_volume_mapping(folder, str(folder), "rw").with_envs(**program.env)
        for each in _included_by(folder):
            container.with_volume_mapping(each, str(each), "ro")
        container.with_env("PGDATA", str(folder))  # or the image makes another one
        container.with_command([Path(binary).name, *arguments])
        container.with_kwargs(network_mode="host", user=owner, stop_signal=program.stop_signal.name)
        try:
            container.start()
        except Exception as error:
            container.stop()
            raise errors.ProgramNotStarted(program=program.name, reason=str(error)) from error
        return cls(program, container)

    @property
    @override
    def pid(self) -> int:
        return self._pid

    @property
    @override
    def exit_code(self) -> int | None:
        if self._ended is None:
            found = self._state()
            if not found["Running"]:
                self._ended = int(found["ExitCode"])
                self._keep_log()
                self._docker.stop()
        return self._ended

    @override
    async def wait(self) -> int:
        if self._ended is None:
            await asyncio.to_thread(self._docker.get_wrapped_container().wait)
        return self.exit_code or 0

    @override
    async def stop(self) -> None:
        if self.exit_code is None:
            seconds = int(self.program.stop_seconds)
            container = self._docker.get_wrapped_container()
            await asyncio.to_thread(lambda: container.stop(timeout=seconds))
        await self.wait()

    @override
    async def kill(self) -> None:
        if self.exit_code is None:
            await asyncio.to_thread(lambda: self._docker.get_wrapped_container().kill())
        await self.wait()

    def _state(self) -> Mapping[str, Any]:
        container = self._docker.get_wrapped_container()
        container.reload()
        found: Mapping[str, Any] = container.attrs["State"]
        return found

    def _keep_log(self) -> None:
        with process.open_log(self.program.log_path) as log:
            log.write(self._docker.get_wrapped_container().logs())


def _data_of(program: process.Program) -> Path:
    """Return the folder that the program's arguments lead to."""
    last = next(Path(word) for word in program.argv[1:] if word.startswith("/"))
    return last if last.is_dir() else last.parent


def _included_by(folder: Path) -> Iterator[Path]:
    """Yield the folders of what the configuration of a bus includes: its users may change while it runs."""
    for config in folder.glob("*.conf"):
        for name in INCLUDED.findall(config.read_text("utf-8")):
            yield (folder / name).resolve().parent


def _given_to_the_image(folder: Path, binary: str) -> str:
    """Return as whom the server runs: ourselves, but Postgres refuses root."""
    user, group = os.geteuid(), os.getegid()
    if binary == "postgres" and user == 0:
        user = group = 999
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, user, group)
    return f"{user}:{group}"
