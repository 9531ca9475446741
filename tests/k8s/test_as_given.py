"""The processes of the small cluster run by what the manifests give them: variables, files, keys, probes."""

import asyncio
import contextlib
import functools
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy import bus_users
from deploy.embedded import binaries, nats
from deploy.embedded.ports import LOOPBACK, free_ports
from deploy.embedded.probes import http_get
from deploy.embedded.process import Child, Program
from shared import secret_values, settings
from shared.bus_address import BusAddress
from tests.k8s.nats_chart import server_config
from tests.k8s.rendered import ROOT, SERVICES, Object, container, pods, settings_of, sources
from tests.support.servers import EmbeddedPostgres
from tests.support.waiting import eventually

OVERLAY = "dev"
MOUNTED = "/etc/tellonce"
OPENSSL = shutil.which("openssl")
READY_SECONDS = 60.0


@dataclass(frozen=True)
class Made:
    """What the how-to has made: `folder` has a folder for each config map and each secret."""

    folder: Path

    def of(self, kind: str, name: str) -> Path:
        """Return the folder of one of them, where its keys are files."""
        found = self.folder / kind / name
        found.mkdir(parents=True, exist_ok=True)
        return found


def make(folder: Path) -> Made:
    """Make all of it as the how-to does."""
    made = Made(folder / "made")
    policies = made.of("configmap", "policies")
    shutil.copy(ROOT / "deploy" / "embedded" / "policy.yaml", policies / "demo.yaml")
    names = secret_values.secrets_in(settings.EMBEDDED_SECRETS)
    lines = [f"{name}={os.urandom(24).hex()}\n" for name in names]
    (made.of("secret", "secrets") / "secrets.env").write_text("".join(lines))
    shutil.copy(bus_users.make(folder / "users"), made.of("secret", "nats-users"))
    for seed in (folder / "users").glob("*.seed"):
        shutil.copy(seed, made.of("secret", f"nats-{seed.stem}") / "seed")
    certify(made.of("secret", "nats-tls"))
    return made


def certify(folder: Path) -> None:
    """Make a certificate for this machine that vouches for itself."""
    key = f"-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout {folder}/tls.key"
    named = f"-days 2 -subj /CN=nats -addext subjectAltName=DNS:localhost -out {folder}/tls.crt"
    command = [str(OPENSSL), "req", "-x509", *key.split(), *named.split()]
    subprocess.run(command, check=True, capture_output=True)
    shutil.copy(folder / "tls.crt", folder / "ca.crt")


def mounted(pod: Object, made: Made, root: Path) -> None:
    """Lay out the files of a pod's volumes below `root`, where its container has them."""
    volumes = {each["name"]: each for each in pod["spec"]["volumes"]}
    for mount in container(pod)["volumeMounts"]:
        place = root / mount["mountPath"].lstrip("/")
        place.mkdir(parents=True, exist_ok=True)
        for kind, name, items in sources(volumes[mount["name"]]):
            source = made.of(kind, name)
            paths = {each["key"]: each["path"] for each in items}
            for key in (each.name for each in source.iterdir()):
                if not items or key in paths:
                    shutil.copy(source / key, place / paths.get(key, key))


class Cluster:
    """A cell on loopback: what differs from the rendered one is where things listen, and Postgres's sign-in."""

    def __init__(self, folder: Path, bus: str, dsn: str) -> None:
        self._folder, self.made = folder, make(folder)
        self._bus, self._dsn = bus, dsn
        doors, mail, *monitors = free_ports(2 + len(SERVICES))
        self.ports = dict(zip(SERVICES, monitors, strict=True))
        self.doors, self._mail = f"http://{LOOPBACK}:{doors}", f"smtp://{LOOPBACK}:{mail}"

    def environment(self, name: str) -> Mapping[str, str]:
        """Return the variables of a process, and lay out its files."""
        root = self._folder / name
        mounted(pods(OVERLAY)[name], self.made, root)
        given = {
            key: value.replace(MOUNTED, str(root / MOUNTED.lstrip("/")))
            for key, value in settings_of(OVERLAY).items()
        }
        there = {
            "TELLONCE_NATS_URL": self._bus,
            "TELLONCE_INGEST_PORT": self.doors.rpartition(":")[2],
            "TELLONCE_PUBLIC_URL": self.doors,
            "TELLONCE_SMTP_URL": self._mail,
            "TELLONCE_MONITOR_HOST": LOOPBACK,
            "TELLONCE_MONITOR_PORT": str(self.ports.get(name, 0)),
        }
        own = {
            each["name"]: each.get("value")
            for each in container(pods(OVERLAY)[name]).get("env", [])
        }
        dsn = {key: self._dsn for key in own if key == "TELLONCE_POSTGRES_DSN"}
        said = {
            key: value for key, value in own.items() if value and key.startswith(settings.PREFIX)
        }
        return {
            **given,
            **there,
            **said,
            **dsn,
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
        }

    async def started(self, name: str, *command: str, **more: str) -> asyncio.subprocess.Process:
        """Start a module in a pod with what that is given, and nothing else but `more`."""
        environment = {**self.environment(name), **more}
        with self.log(name).open("wb") as log:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", *command),
                env=environment,
                cwd=self._folder,
                stdout=log,
                stderr=log,
            )

    async def ended(
        self, name: str, running: asyncio.subprocess.Process, seconds: float = READY_SECONDS
    ) -> None:
        """Wait until a process has ended well. Raises: AssertionError with what it said, TimeoutError."""
        code = await asyncio.wait_for(running.wait(), seconds)
        assert code == 0, self.log(name).read_text()

    def log(self, name: str) -> Path:
        """Return where a process says what it does."""
        return self._folder / f"{name}.log"

    async def answers(self, name: str, probe: str) -> bool:
        """Whether a probe of a service is content."""
        path = container(pods(OVERLAY)[name])[f"{probe}Probe"]["httpGet"]["path"]
        return (await http_get(f"http://{LOOPBACK}:{self.ports[name]}", path))[0] == 200


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    """Postgres and a NATS with the accounts, the certificate and the configuration of the small cluster."""
    if OPENSSL is None:
        pytest.skip("openssl makes the certificate, and is not installed")
    (port,) = free_ports(1)
    async with EmbeddedPostgres(tmp_path / "postgres", syncs=False) as postgres:
        here = Cluster(tmp_path, f"tls://localhost:{port}", postgres.dsn)
        config = tmp_path / "made" / "nats-config" / "nats.conf"
        config.parent.mkdir()
        (config.parent.parent / "nats-users").symlink_to(here.made.of("secret", "nats-users"))
        config.write_text(
            server_config(OVERLAY, tmp_path, port, here.made.of("secret", "nats-tls"))
        )
        bus = BusAddress(
            url=f"tls://localhost:{port}",
            seed_file=str(here.made.of("secret", "nats-operator") / "seed"),
            ca_file=str(here.made.of("secret", "nats-tls") / "ca.crt"),
        )
        server = await Child.start(
            Program(
                name="nats",
                argv=(str(binaries.nats_server()), "--config", str(config)),
                log_path=tmp_path / "nats.log",
                ready=lambda: nats.answers(bus, "nats-0"),
            )
        )
        try:
            await server.wait_ready()
            yield here
        finally:
            await server.stop()


async def played(cluster: Cluster) -> asyncio.subprocess.Process:
    """Start the first story of the how-to, whose player plays with one tenant."""
    policy = cluster.environment("tools")["TELLONCE_POLICY"] + "/demo.yaml"
    story = str(ROOT / "tests" / "stories" / "parcel_locker.yaml")
    command = ("deploy.cli.main", "story", story, "--against", cluster.doors)
    return await cluster.started("tools", *command, TELLONCE_POLICY=policy)


async def test_all_processes_do_their_work_with_what_they_are_given(cluster: Cluster) -> None:
    """The job makes the streams; services are ready by their probes, play a story, and end in their time."""
    await cluster.ended("bootstrap", await cluster.started("bootstrap", "deploy.bootstrap"))
    services = {name: await cluster.started(name, f"services.{name}") for name in SERVICES}
    try:
        for name in SERVICES:
            await eventually(
                functools.partial(cluster.answers, name, "readiness"), within_seconds=READY_SECONDS
            )
            assert await cluster.answers(name, "startup")
        await cluster.ended("tools", await cluster.started("tools", "deploy.cli.main", "status"))
        await cluster.ended("tools", await played(cluster))
        for name, each in services.items():
            each.terminate()
            grace = pods(OVERLAY)[name]["spec"]["terminationGracePeriodSeconds"]
            await cluster.ended(name, each, grace)
    finally:
        for each in services.values():
            with contextlib.suppress(ProcessLookupError):
                each.kill()
