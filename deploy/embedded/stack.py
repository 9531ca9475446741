"""The whole stack on one machine: two servers, the bootstrap job, four services."""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from deploy import bus_users, rights
from deploy.embedded import (
    errors,
    keeper,
    marking,
    nats,
    postgres,
    probes,
    process,
    state,
    supervisor,
)
from deploy.embedded.ports import LOOPBACK, port_is_free
from shared import SERVICES, addresses, policies, settings
from shared.bus_address import BusAddress
from shared.errors import PolicyInvalid

ROOT = Path(__file__).resolve().parents[2]
BOOTSTRAP_SECONDS = 30.0
BOOTSTRAP_TRIES = 3
SERVICE_READY_SECONDS = 20.0
SERVICE_STOP_SECONDS = 5.0
HALTED_SECONDS = 3.0
"""A service that says so long what somebody has to mend has started: the stack runs without it, degraded."""
HIGHEST_PORT = 65_535


def say_nothing(line: str) -> None:
    """Progress for those who want none."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Where and how to run a stack.

    `environment` is laid over our own; it may hold TELLONCE_NATS_URL, TELLONCE_POSTGRES_DSN, TELLONCE_INGEST_HOST,
    TELLONCE_INGEST_PORT, TELLONCE_PUBLIC_URL, TELLONCE_SMTP_URL, TELLONCE_POLICY and the rest of the settings.
    `users`: of the bus, beside those of the house and the integrations that the policies name. A NATS of our own knows
    each program by a key of its own; one that is given knows all of them by what TELLONCE_NATS_SEED_FILE names.
    `services` maps each service to the command that runs it and `bootstrap` is the one-shot job before them, or
    none; tests put others in their place.
    """

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    users: Sequence[str] = ()
    progress: Callable[[str], None] = say_nothing
    bootstrap: Sequence[str] = (sys.executable, "-m", "deploy.bootstrap")
    services: Mapping[str, Sequence[str]] = field(
        default_factory=lambda: {
            name: (sys.executable, "-m", f"services.{name}") for name in SERVICES
        }
    )

    def setting(self, name: str) -> str:
        """What the plan or our environment says of `TELLONCE_<name>`; empty if nothing."""
        return self.environment.get(name) or os.environ.get(name) or ""


class EmbeddedStack:
    """A running stack: `async with EmbeddedStack(Plan(folder=...)) as stack: stack.status()`.

    Leaving stops the services first, then the servers. The data stays in the folder.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.folder = plan.folder.absolute()
        self.addresses: dict[str, str] = {}
        self.monitors: dict[str, str] = {}
        self._held = ExitStack()
        self._servers: dict[str, supervisor.Supervised] = {}
        self._services: dict[str, supervisor.Supervised] = {}
        self._state: state.State = "stopped"
        self._keepers: list[asyncio.Task[None]] = []
        self._monitor = ""
        self._mending = asyncio.Lock()

    async def start(self) -> None:
        """Start everything and wait until all of it is ready.

        Raises: SetupError; what had been started is stopped again.
        """
        self._held.enter_context(state.hold(self.folder))
        try:
            state.check_layout(self.folder)
            state.mark_layout(self.folder)
            self.addresses = {}
            self._enter("starting")
            self._assign(self._choose_ports())
            self._write()
            await self._start_programs()
            self._keepers = [asyncio.create_task(each) for each in self._keeping()]
            self._enter("ready")
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop everything, services before servers. Nothing to do if nothing runs."""
        self._state = "stopped"
        for each in self._keepers:
            each.cancel()
        self._keepers = []
        await supervisor.stop_all(list(self._services.values()))
        if self.addresses:
            await marking.bring_up(self.bus_address(), self.folder)
        await supervisor.stop_all(list(self._servers.values()))
        with contextlib.suppress(errors.DataFolderUnusable):
            self._write()
        self._held.close()

    async def stop_services(self) -> None:
        """Stop the services and leave the servers running; the state is `degraded` meanwhile."""
        await supervisor.stop_all(list(self._services.values()))

    async def start_services(self) -> None:
        """Start the services again. Raises: SetupError."""
        await supervisor.start_all(list(self._services.values()))

    async def restart(self) -> None:
        """Stop everything and start it again on the same ports and data. Raises: SetupError."""
        await self.stop()
        await self.start()

    def bus_address(self, user: str = rights.OPERATOR) -> BusAddress:
        """Where the bus is, for one of its users. Raises: SettingInvalid."""
        return state.bus_address(self.folder, self.status(), user)

    def status(self) -> state.Status:
        """How the stack is, without asking it; the position is left out."""
        kept = {**self._servers, **self._services}
        pids = {name: one.pid for name, one in kept.items() if one.pid is not None}
        named = self.plan.setting("TELLONCE_POLICY")
        return state.Status(
            state=self._state,
            addresses=self.addresses,
            monitors=self.monitors,
            pids=pids,
            policy=str(Path(named).absolute()) if named else "",
        )

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def _start_programs(self) -> None:
        say = self.plan.progress
        if self._servers:
            say(f"starting {' and '.join(self._servers)} ...")
        await supervisor.start_all(list(self._servers.values()))
        if self.plan.bootstrap:
            say("making streams and consumers ...")
            await self._bootstrap()
        if self._services:
            say(f"starting {', '.join(self._services)} ...")
        await supervisor.start_all(list(self._services.values()))

    def _keeping(self) -> Iterator[Coroutine[Any, Any, None]]:
        """What goes on while the stack runs."""
        yield supervisor.keep_logs_short((*self._servers.values(), *self._services.values()))
        server = None
        if "nats" in self._servers:
            server = keeper.Server(
                folder=self.folder / "nats", monitor=self._monitor, kept=self._servers["nats"]
            )
        bus = self.bus_address()
        yield marking.keep(bus, self.folder, self._mend_streams if server else None)
        yield keeper.keep_mended(bus, list(self._services), self._mend_streams, server)

    async def _mend_streams(self) -> None:
        """Make what is missing again; several who ask at once wait for one another. Raises: SetupError."""
        async with self._mending:
            await self._bootstrap(tries=1)

    async def _bootstrap(self, tries: int = BOOTSTRAP_TRIES) -> None:
        program = self.service_program("bootstrap", self.plan.bootstrap)
        for attempt in range(1, tries + 1):
            job = await process.Child.start(program)
            try:
                code = await asyncio.wait_for(job.wait(), BOOTSTRAP_SECONDS)
            except TimeoutError:
                await job.kill()
                raise errors.ProgramNotReady("the bootstrap job does not end") from None
            if code == 0:
                return
            if attempt == tries:
                why = process.last_refusal(program.log_path)
                raise errors.ProgramExited("the bootstrap job failed", mend=why, exit_code=code)

    @property
    def _ingest_host(self) -> str:
        return self.plan.setting("TELLONCE_INGEST_HOST") or LOOPBACK

    def _choose_ports(self) -> dict[str, int]:
        asked = self.plan.setting("TELLONCE_INGEST_PORT")
        if asked in {"", "0"}:
            return state.choose_ports(self.folder, {})
        if not (asked.isascii() and asked.isdigit()) or int(asked) > HIGHEST_PORT:
            raise errors.SettingUnreadable("TELLONCE_INGEST_PORT is not a port number")
        if not port_is_free(int(asked), self._ingest_host):
            raise errors.PortTaken(port=int(asked))
        return state.choose_ports(self.folder, {"ingest": int(asked)})

    def _assign(self, ports: Mapping[str, int]) -> None:
        """Settle addresses and programs. Servers that are given from outside are used, not started."""
        logs = self.folder / "logs"
        self._servers, self._services = {}, {}
        nats_url = self.plan.setting("TELLONCE_NATS_URL")
        if not nats_url:
            node = nats.NodePorts(
                client=ports["nats"], monitor=ports["nats_monitor"], route=ports["nats_route"]
            )
            nats_url, self._monitor = node.url, node.monitor_url
            self._make_users()
            server = nats.nats_program(
                self.folder / "nats", node, log_path=logs / "nats.log", users=self._users
            )
            self._servers["nats"] = supervisor.Supervised(server, self._changed)
        dsn = self.plan.setting("TELLONCE_POSTGRES_DSN")
        if not dsn:
            dsn = postgres.dsn_of(ports["postgres"])
            server = postgres.postgres_program(
                self.folder / "postgres", ports["postgres"], log_path=logs / "postgres.log"
            )
            self._servers["postgres"] = supervisor.Supervised(server, self._changed)
        self.addresses = {
            "ingest": addresses.http_url(self._ingest_host, ports["ingest"]),
            "nats": nats_url,
            "postgres": dsn,
            "history": f"{nats_url}#query.>",
        }
        self.monitors = self._monitors(ports)
        for name, argv in self.plan.services.items():
            self._services[name] = supervisor.Supervised(
                self.service_program(name, argv), self._changed, self._mend_streams
            )

    def _make_users(self) -> None:
        """Let onto the bus whom the plan names, and the integrations of the policies.

        Whoever starts with a policy that cannot be taken says so.
        """
        path = self.plan.setting("TELLONCE_POLICY") or settings.Settings().policy
        named: list[str] = []
        with contextlib.suppress(PolicyInvalid):
            named = rights.integrations(policies.PolicyFiles(path).read())
        bus_users.make(self._users, (*self.plan.users, *named))
        for user in bus_users.strangers(self._users):
            self.plan.progress(f"{user} is let in no more: there is no such user of the bus")

    def _monitors(self, ports: Mapping[str, int]) -> dict[str, str]:
        """Where each service answers probes and shows its metrics."""
        host = self.plan.setting("TELLONCE_MONITOR_HOST") or LOOPBACK
        return {
            name: addresses.http_url(host, ports[f"{name}_monitor"])
            for name in self.plan.services
            if name in SERVICES
        }

    def service_program(self, name: str, argv: Sequence[str]) -> process.Program:
        """Return the program that runs a service on this stack's servers."""
        halted_since: float | None = None

        async def ready() -> bool:
            nonlocal halted_since
            bus = self.bus_address()
            if not await probes.service_answers(bus, name):
                halted = await probes.service_halted(bus, name)
                halted_since = (halted_since or time.monotonic()) if halted else None
                return halted and time.monotonic() - (halted_since or 0) > HALTED_SECONDS
            return name != "ingest" or await probes.http_ready(self.addresses["ingest"])

        return process.Program(
            name=name,
            argv=tuple(argv),
            env=self._service_environment(name),
            log_path=self.folder / "logs" / f"{name}.log",
            ready=ready,
            ready_seconds=SERVICE_READY_SECONDS,
            stop_seconds=SERVICE_STOP_SECONDS,
        )

    @property
    def _users(self) -> Path:
        return self.folder / state.USERS

    def _service_environment(self, name: str) -> dict[str, str]:
        ingest = self.addresses["ingest"]
        known_by = {}
        if "nats" in self._servers:
            known_by["TELLONCE_NATS_SEED_FILE"] = str(bus_users.seed_file(self._users, name))
        return {
            **self.plan.environment,
            **known_by,
            "TELLONCE_NATS_URL": self.addresses["nats"],
            "TELLONCE_POSTGRES_DSN": self.addresses["postgres"],
            "TELLONCE_LEDGER_MARK": str(self.folder / state.LEDGER_MARK),
            "TELLONCE_INGEST_PORT": ingest.rsplit(":", 1)[1],
            "TELLONCE_MONITOR_PORT": self.monitors.get(name, "").rpartition(":")[2],
            "TELLONCE_PUBLIC_URL": self.plan.setting("TELLONCE_PUBLIC_URL") or ingest,
            "PYTHONPATH": os.pathsep.join(
                part for part in (str(ROOT), os.environ.get("PYTHONPATH", "")) if part
            ),
            "PYTHONUNBUFFERED": "1",
        }

    def _enter(self, entered: state.State) -> None:
        self._state = entered
        self._write()

    def _changed(self) -> None:
        """Called at each start, readiness and death of a program."""
        if self._state in {"ready", "degraded"}:
            kept = (*self._servers.values(), *self._services.values())
            self._state = "ready" if all(one.ready for one in kept) else "degraded"
        if self._state != "stopped":
            # Mending goes on while the disk is full; the next change is written again.
            with contextlib.suppress(errors.DataFolderUnusable):
                self._write()

    def _write(self) -> None:
        state.write_status(self.folder, self.status())
