"""A story on the images of this version, as `make test-containers` builds them, hardened as in the compose file."""

import asyncio
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from testcontainers.core.container import DockerContainer

from deploy import bus_users, rights
from deploy.embedded.ports import LOOPBACK, free_ports
from shared import SERVICES
from tests.stories.files import HERE
from tests.stories.personal import personal_in, told_in
from tests.stories.played import ROOT, play_against
from tests.support.containers import services
from tests.support.servers import EmbeddedNats, EmbeddedPostgres

STORY = HERE / "parcel_locker.yaml"
EMBEDDED = ROOT / "deploy" / "embedded"
WITHIN = Path("/etc/tellonce")
SEED_FILE = "TELLONCE_NATS_SEED_FILE"
USER_OF_THE_IMAGES = 10001


async def test_the_parcel_locker_story_is_met_on_our_images(
    tmp_path: Path, postgres_template: Path
) -> None:
    """Each process has its image and its user of the bus alone, can write nothing, and logs nothing personal."""
    mail, doors, *monitors = free_ports(2 + len(SERVICES))
    users = tmp_path / "users"
    bus_users.make(users)
    async with (
        EmbeddedNats(tmp_path / "nats", users=users) as nats,
        EmbeddedPostgres(tmp_path / "data", template=postgres_template) as postgres,
    ):
        environment = {
            "TELLONCE_NATS_URL": nats.url,
            "TELLONCE_POSTGRES_DSN": postgres.dsn,
            "TELLONCE_INGEST_PORT": str(doors),
            "TELLONCE_SMTP_URL": f"smtp://{LOOPBACK}:{mail}",
        }
        job = _container("bootstrap", users, environment)
        with job:
            ended = await asyncio.to_thread(job.get_wrapped_container().wait)
            assert ended["StatusCode"] == 0, job.get_logs()
        with _running(users, environment, monitors, logs=tmp_path):
            operator = str(bus_users.seed_file(users, rights.OPERATOR))
            played = await asyncio.to_thread(
                play_against,
                f"http://{LOOPBACK}:{doors}",
                STORY,
                tmp_path,
                environment={**environment, SEED_FILE: operator},
            )
    played.check_met()
    assert all((tmp_path / f"{service}.log").stat().st_size for service in SERVICES)
    assert told_in(tmp_path, personal_in(STORY)) == []


@contextmanager
def _running(
    users: Path, environment: Mapping[str, str], monitors: list[int], *, logs: Path
) -> Iterator[None]:
    """Run each service on its image; what they logged stands in a folder in the end."""
    with ExitStack() as stack:
        for service, port in zip(SERVICES, monitors, strict=True):
            named = {**environment, "TELLONCE_MONITOR_PORT": str(port)}
            container = stack.enter_context(_container(service, users, named))
            stack.callback(_keep_log, container, logs / f"{service}.log")
        yield


def _keep_log(container: DockerContainer, log: Path) -> None:
    log.write_bytes(b"".join(container.get_logs()))


def _container(name: str, users: Path, environment: Mapping[str, str]) -> DockerContainer:
    """Return a container as the compose file has it: as we ourselves run, and as the images' own user for root."""
    seed, user, group = bus_users.seed_file(users, name), os.geteuid(), os.getegid()
    if user == 0:
        user = group = USER_OF_THE_IMAGES
        shutil.chown(seed, user, group)
    container = DockerContainer(services()[name]["image"])
    container.with_envs(**environment, **{SEED_FILE: str(WITHIN / "nats.seed")})
    container.with_volume_mapping(seed, str(WITHIN / "nats.seed"))
    for file in ("policy.yaml", "secrets.env"):
        container.with_volume_mapping(EMBEDDED / file, str(WITHIN / file))
    return container.with_kwargs(
        network_mode="host",
        user=f"{user}:{group}",
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges:true"],
    )
