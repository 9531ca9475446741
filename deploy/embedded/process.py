"""One child process: started in a session of its own, waited for until ready, stopped or killed."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from deploy.embedded.errors import ProgramExited, ProgramNotReady, ProgramNotStarted, SetupError

READY_POLL_SECONDS = 0.02
EXIT_POLL_SECONDS = 0.02
NOTHING_SAID = (
    "it logged nothing: where the machine has much else to do, start again when that is over"
)
MAX_LOG_BYTES = 32 * 1024 * 1024
LOG_TAIL_BYTES = 1_500
LOG_MODE = 0o600
SAME_USER = "same"
LAUNCHER = Path(__file__).with_name("launch.py")


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program: the command to run and the test that the program serves.

    `ready` answers True or False and never raises. `env` is added to our own environment.
    `user`: as whom it runs, a word of `launch`, asked right before each start.
    `orphan_signal`: what the kernel sends it when we die.
    """

    name: str
    argv: tuple[str, ...]
    log_path: Path
    ready: Callable[[], Awaitable[bool]]
    env: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    user: Callable[[], str] = lambda: SAME_USER
    before_start: Callable[[], None] = lambda: None
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGKILL
    ready_seconds: float = 15.0
    stop_seconds: float = 8.0


class Child:
    """A started program. `pid` is the program's own id, not a wrapper's.

    It belongs to no event loop: it may be started in one and stopped in another.
    """

    def __init__(self, program: Program, process: subprocess.Popen[bytes]) -> None:
        self.program = program
        self._process = process

    @classmethod
    async def start(cls, program: Program) -> "Child":
        """Start it; its output is appended to the log file.

        The thread that calls this must live as long as the program: when it ends, Linux counts the
        parent as dead.

        Raises: ProgramNotStarted if the process cannot be made.
        """
        try:
            await asyncio.to_thread(program.before_start)
            program.log_path.parent.mkdir(parents=True, exist_ok=True)
            shorten_log(program.log_path)
            with open_log(program.log_path) as log:
                process = subprocess.Popen(
                    launch_argv(program),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env={**os.environ, **program.env},
                    cwd=program.folder,
                    start_new_session=True,
                )
        except OSError as error:
            raise ProgramNotStarted(program=program.name, reason=error.strerror) from error
        return cls(program, process)

    @property
    def pid(self) -> int:
        """The program's process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code (negative: the signal that ended the process); None while the process runs."""
        return self._process.poll()

    async def wait(self) -> int:
        """Wait until it has ended; its exit code."""
        while (code := self._process.poll()) is None:
            await asyncio.sleep(EXIT_POLL_SECONDS)
        return code

    async def wait_ready(self) -> None:
        """Wait until the program serves.

        Raises: ProgramExited if it ends first, ProgramNotReady after `ready_seconds`.
        """
        deadline = time.monotonic() + self.program.ready_seconds
        while time.monotonic() < deadline:
            if self.exit_code is not None:
                raise self._trouble(ProgramExited)
            if await self.program.ready():
                return
            await asyncio.sleep(READY_POLL_SECONDS)
        raise self._trouble(ProgramNotReady)

    async def stop(self) -> None:
        """Ask it to end, and kill it after `stop_seconds`."""
        if self.exit_code is None:
            self._signal(self.program.stop_signal)
        try:
            await asyncio.wait_for(self.wait(), self.program.stop_seconds)
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """End it by signal 9 and wait until it is gone."""
        if self.exit_code is None:
            self._signal(signal.SIGKILL)
        await self.wait()

    def _signal(self, signal_number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal_number)

    def _trouble(self, kind: type[SetupError]) -> SetupError:
        log_path = self.program.log_path
        said = log_tail(log_path)
        return kind(
            f"{kind.sentence}: {self.program.name}",
            mend=f"read {log_path}, which ends with: {said}" if said else NOTHING_SAID,
            program=self.program.name,
            exit_code=self.exit_code,
        )


def launch_argv(program: Program) -> tuple[str, ...]:
    """The command that becomes the program, tied to this process."""
    return prepared(program.argv, program.user(), program.orphan_signal)


def prepared(argv: Sequence[str], user: str, orphan_signal: signal.Signals) -> tuple[str, ...]:
    """The command that starts `argv` by way of the launcher."""
    start = (sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()))
    return (*start, str(int(orphan_signal)), user, "--", *argv)


def open_log(path: Path) -> BinaryIO:
    """Open a log file for appending that only its owner reads, whatever the folder and the umask allow."""
    log = open(path, "ab", opener=lambda name, flags: os.open(name, flags, LOG_MODE))  # noqa: SIM115
    os.fchmod(log.fileno(), LOG_MODE)
    return log


def log_tail(path: Path) -> str:
    """The end of a log file, at most LOG_TAIL_BYTES; empty if there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - LOG_TAIL_BYTES))
            return file.read().decode("utf-8", "replace").strip()
    except OSError:
        return ""


def last_refusal(path: Path) -> str:
    """Why a program ended, as the last line of its log says in JSON; the end of the log where it says it otherwise."""
    tail = log_tail(path)
    try:
        said = json.loads(tail.rpartition("\n")[2])
        details = ", ".join(f"{name}: {value}" for name, value in said["details"].items())
        return f"{said['code']}: {said['message']}" + (f" ({details})" if details else "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return tail


def shorten_log(path: Path) -> None:
    """Move what a log file of more than MAX_LOG_BYTES holds to `<name>.1`; its writer goes on appending."""
    if path.exists() and path.stat().st_size > MAX_LOG_BYTES:
        older = path.with_name(path.name + ".1")
        with open_log(older):  # its readers are settled before it holds anything
            shutil.copyfile(path, older)
        os.truncate(path, 0)
