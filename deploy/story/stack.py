"""The stack that a story runs on: its own, started as a subprocess in a temporary folder, or a running one.

A running one is found by its data folder, or by the address of its doors where it runs elsewhere.
"""

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import msgspec
import yaml
from typing_extensions import override

from deploy.embedded import ports, state, status
from deploy.embedded.process import SAME_USER, open_log, prepared
from deploy.story.errors import StoryInvalid, StoryStackUnusable
from deploy.story.file.model import Story
from deploy.story.providers.doors import Door, door_of
from deploy.story.telling import printing
from shared import errors, policies, secret_values, settings
from shared.policy import Policy

START_SECONDS = 180.0
"""As long as `up` waits for all of its parts together: one that does not come ends it before."""
STOP_SECONDS = 30.0
POLL_SECONDS = 0.02
LOG_TAIL_BYTES = 4_000
SMTP_URL = "TELLONCE_SMTP_URL"
PROVIDERS_URL = "TELLONCE_PROVIDERS_URL"
_UNSET = "unset TELLONCE_DATA, so that it gets its own stack"
_ROOT = Path(__file__).resolve().parents[2]


class Stack:
    """A stack as `tellonce status` describes it. `own`: the player started the stack and may stop and change it."""

    def __init__(self, folder: Path, *, own: bool, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.own = own
        self._environment = dict(environment)
        self._process: asyncio.subprocess.Process | None = None
        self._known: settings.Settings = settings.load(self._environment)
        self.secrets = secret_values.load_secrets(self._known, self._environment)
        self.addresses: Mapping[str, str] = {}
        self.bus_address = self._known.bus_address()
        self._told = 0

    def door(self, tenant: str, account: str) -> Door:
        """Return where deliveries to an account go."""
        return door_of(self.addresses["ingest"], self._known.public_url, tenant, account)

    @property
    def policy_path(self) -> str:
        return self._known.policy

    async def start(self) -> None:
        """Start the stack, if the player owns the stack, and wait until it is ready. Raises: StoryStackUnusable."""
        if self.own:
            await self._spawn()
        deadline = time.monotonic() + START_SECONDS
        while (found := state.read_status(self.folder)).state != "ready":
            self._tell_progress()
            if self._process is not None and self._process.returncode is not None:
                raise StoryStackUnusable(f"the stack did not start:\n{self._log_tail()}")
            stopped = found.state == "stopped" and not self.own
            if stopped or time.monotonic() > deadline:
                said = f"the stack is {found.state} after {START_SECONDS:.0f} s, and not ready"
                raise StoryStackUnusable(said, folder=str(self.folder))
            await asyncio.sleep(POLL_SECONDS)
        self.addresses = found.addresses
        self.bus_address = state.bus_address(self.folder, found)

    async def stop(self) -> None:
        """Stop it, if it is ours: SIGTERM, and SIGKILL after STOP_SECONDS."""
        process = self._process
        if process is None:
            return
        self._process = None
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def kill(self, name: str) -> int | None:
        """Send signal 9 to a process of the stack; return its id, `None` when it is being started anew.

        Raises: StoryInvalid when the stack has no such process.
        """
        pid = (await self.pids()).get(name)
        if pid is None:
            raise StoryInvalid(f"the stack has no process {name}")
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return None
        return pid

    async def pids(self) -> Mapping[str, int]:
        """Return the process ids as `tellonce status --json` gives them."""
        return (await status.examine(self.folder)).pids

    def policies(self) -> list[Policy]:
        """Return the policies of its tenants."""
        return policies.load_all(self.policy_path)

    async def tool(self, tenant: str, verb: str, *arguments: str) -> tuple[int | None, str]:
        """Run a verb of `tellonce` for a tenant, as an operator does; return its exit code and what it says."""
        stack = ("--data", str(self.folder), "--tenant-policy", self.policy_path)
        told = (*stack, "--tenant", tenant)
        running = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "deploy.cli.main", verb, *arguments, *told),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": _python_path()},
        )
        out, _ = await running.communicate()
        return running.returncode, out.decode(errors="replace")

    async def _spawn(self) -> None:
        """Start `up`, tied to us: however the player ends, its stack does not outlive it."""
        up = (sys.executable, "-m", "deploy.cli.main", "up", "--data", str(self.folder))
        argv = (*up, "--tenant-policy", self.policy_path)
        with open_log(self.folder / "up.log") as log:
            self._process = await asyncio.create_subprocess_exec(
                *prepared(argv, SAME_USER, signal.SIGTERM),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**self._environment, "PYTHONPATH": _python_path()},
                # Ctrl-C reaches the player alone: it stops the stack in order.
                start_new_session=True,
            )

    def _tell_progress(self) -> None:
        """Print what our `tellonce up` has said since the last time."""
        if not self.own:
            return
        lines = self._log_tail(whole=True).splitlines()
        for line in lines[self._told :]:
            printing.say(f"  {line}")
        self._told = len(lines)

    def _log_tail(self, *, whole: bool = False) -> str:
        try:
            content = (self.folder / "up.log").read_bytes()
        except OSError:
            return ""
        kept = content if whole else content[-LOG_TAIL_BYTES:]
        return kept.decode(errors="replace").strip()


class StackElsewhere(Stack):
    """A stack whose machines are out of reach: its doors are at an address, the settings say where its bus is."""

    def __init__(self, doors: str, environment: Mapping[str, str]) -> None:
        super().__init__(Path(), own=False, environment=environment)
        self.addresses = {
            "ingest": doors.rstrip("/"),
            "nats": self._known.nats_url,
            "postgres": self._known.postgres_dsn,
        }

    @override
    async def start(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        ready = self.addresses["ingest"] + "/readyz"
        async with httpx.AsyncClient(trust_env=False) as http:
            while not await _answers(http, ready):
                if time.monotonic() > deadline:
                    raise StoryStackUnusable("the doors are not ready", doors=ready)
                await asyncio.sleep(POLL_SECONDS)

    @override
    async def pids(self) -> Mapping[str, int]:
        raise StoryInvalid("nothing can be killed on a stack elsewhere")


async def _answers(http: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await http.get(url)).is_success
    except httpx.HTTPError:
        return False


def _python_path() -> str:
    return os.pathsep.join(part for part in (str(_ROOT), os.environ.get("PYTHONPATH", "")) if part)


def running_stack(story: Story, doors: str | None) -> Stack | None:
    """Return the running stack at `doors`, or else of the data folder that TELLONCE_DATA names.

    `None`: the story gets a stack of its own. Raises: StoryStackUnusable when it is not for a stack of somebody else.
    """
    if doors is not None:
        _check_may_run(story, "leave --against out")
        return StackElsewhere(doors, os.environ)
    folder = _running_folder(story)
    return None if folder is None else Stack(folder, own=False, environment=os.environ)


def _running_folder(story: Story) -> Path | None:
    named = os.environ.get("TELLONCE_DATA")
    if not named:
        return None
    folder = state.data_folder(named)
    if state.holder(folder) is None:
        printing.say(f"  no stack runs on TELLONCE_DATA={folder}: the story gets one of its own")
        return None
    _check_may_run(story, _UNSET)
    return folder


def _check_may_run(story: Story, mend: str) -> None:
    """Raises: StoryStackUnusable when a stack that runs already is not for this story."""
    if story.needs_own_stack:
        raise StoryStackUnusable(f"the story changes settings or machines: {mend}")
    path = Path(settings.load(os.environ).policy)
    if not says(path.read_bytes(), story.head.policy):
        raise StoryStackUnusable(
            f"the policy of the running stack is not the story's: {mend}, or start both with a policy "
            "(TELLONCE_POLICY) that says what the story's does",
            policy=str(path),
        )


def mail_boxes_place(story: Story, running: Stack | None) -> tuple[str, int]:
    """Return host and port where the customers' mail boxes listen; port 0 is a free one.

    A running stack hands its mail to the server that it was started with: the mail boxes must be there.

    Raises: StoryStackUnusable when the story expects mail and nobody says where that is.
    """
    if running is None or not story.expects_mail:
        return ports.LOOPBACK, 0
    return _named_place(SMTP_URL, "smtp", "mail")


def providers_place(story: Story, running: Stack | None) -> tuple[str, int]:
    """Return host and port where the providers' APIs listen, as `mail_boxes_place` does for mail."""
    if running is None or not story.expects_messages:
        return ports.LOOPBACK, 0
    return _named_place(PROVIDERS_URL, "http", "messages by providers")


def _named_place(variable: str, scheme: str, what: str) -> tuple[str, int]:
    with contextlib.suppress(ValueError):
        parts = urlsplit(os.environ.get(variable, ""))
        if parts.scheme == scheme and parts.hostname and parts.port:
            return parts.hostname, parts.port
    raise StoryStackUnusable(
        f"the story expects {what}, and the running stack does not send it to the player: give the story a stack of "
        f"its own, or start the stack and the player with the same {variable}={scheme}://127.0.0.1:<a free port>"
    )


@contextlib.asynccontextmanager
async def stack_for(
    story: Story, outside: Mapping[str, str], running: Stack | None, kept_in: Path | None = None
) -> AsyncIterator[Stack]:
    """Give a ready stack for a story; stop the stack afterwards if the story started it.

    `outside`: the variables that lead to the player's own servers. `running`: see `running_stack`. `kept_in`: an empty
    folder for the data of a stack of our own, which then stays; else it is a temporary one.

    Raises: StoryStackUnusable, StoryInvalid.
    """
    if running is not None:
        await running.start()
        yield running
        return
    with _folder(kept_in) as folder:
        stack = Stack(folder, own=True, environment=_own_environment(story, folder, outside))
        try:
            await stack.start()
            yield stack
        finally:
            await stack.stop()


@contextlib.contextmanager
def _folder(kept_in: Path | None) -> Iterator[Path]:
    if kept_in is not None:
        kept_in.mkdir(parents=True, exist_ok=True)
        if any(kept_in.iterdir()):
            raise StoryStackUnusable(
                "the folder for a story's data is not empty", folder=str(kept_in)
            )
        yield kept_in
        return
    with tempfile.TemporaryDirectory(prefix="tellonce-story-", ignore_cleanup_errors=True) as made:
        yield Path(made)


def _own_environment(story: Story, folder: Path, outside: Mapping[str, str]) -> dict[str, str]:
    """The environment of a stack of our own: ours, the player's servers, what the story sets, its policy."""
    overrides = {name: str(value) for name, value in story.head.settings.items()}
    environment = {**os.environ, **outside, **overrides}
    try:
        base = settings.load(environment).policy
        own = merged_policy(Path(base).read_bytes(), story.head.policy)
        path = folder / "policies"
        path.mkdir()
        (path / "story.yaml").write_bytes(own)
        for tenant, changes in story.head.tenants.items():
            changed = merged_policy(own, {**changes, "tenant": tenant})
            (path / f"{tenant}.yaml").write_bytes(changed)
        policies.load_all(path)
    except (errors.TellonceError, OSError) as error:
        raise StoryInvalid(f"the story's settings or policy cannot be used: {error}") from None
    return {**environment, "TELLONCE_POLICY": str(path)}


def says(policy: bytes, changes: Mapping[str, object]) -> bool:
    """Tell whether a policy already says what a story would lay over it."""
    found = yaml.safe_load(policy)
    return bool(_laid_over(found, changes) == found)


def merged_policy(base: bytes, changes: Mapping[str, object]) -> bytes:
    """Return the policy with the story's values laid over it; a list replaces a list."""
    return msgspec.yaml.encode(_laid_over(yaml.safe_load(base), changes))


def _laid_over(base: object, changes: object) -> object:
    if not (isinstance(base, dict) and isinstance(changes, Mapping)):
        return changes
    return {**base, **{key: _laid_over(base.get(key), each) for key, each in changes.items()}}
