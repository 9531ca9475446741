"""A story on the images of this version, as `make test-containers` builds them, hardened as in the compose file."""

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from testcontainers.core.container import DockerContainer

from deploy.embedded.ports import LOOPBACK, free_ports
from shared import SERVICES
from tests.stories.files import HERE
from tests.stories.personal import personal_in, told_in
from tests.stories.played import ROOT, play_against
from tests.support.containers import services
from tests.support.servers import EmbeddedNats, EmbeddedPostgres

STORY = HERE / "parcel_locker.yaml"
EMBEDDED = ROOT / "deploy" / "embedded"


async def test_the_parcel_locker_story_is_met_on_our_images(
    tmp_path: Path, postgres_template: Path
) -> None:
    """Each process has its image alone, can write nothing, is reached on loopback, and logs nothing personal."""
    mail, doors, *monitors = free_ports(2 + len(SERVICES))
    async with (
        EmbeddedNats(tmp_path / "nats") as nats,
        EmbeddedPostgres(tmp_path / "data", template=postgres_template) as postgres,
    ):
        environment = {
            "TELLONCE_NATS_URL": nats.url,
            "TELLONCE_POSTGRES_DSN": postgres.dsn,
            "TELLONCE_INGEST_PORT": str(doors),
            "TELLONCE_SMTP_URL": f"smtp://{LOOPBACK}:{mail}",
        }
        with ExitStack() as running:
            job = running.enter_context(_container("bootstrap", environment))
            ended = await asyncio.to_thread(job.get_wrapped_container().wait)
            assert ended["StatusCode"] == 0, job.get_logs()
            images = {
                service: running.enter_context(
                    _container(service, {**environment, "TELLONCE_MONITOR_PORT": str(port)})
                )
                for service, port in zip(SERVICES, monitors, strict=True)
            }
            at = f"http://{LOOPBACK}:{doors}"
            played = await asyncio.to_thread(
                play_against, at, STORY, tmp_path, environment=environment
            )
            for service, container in images.items():
                (tmp_path / f"{service}.log").write_bytes(b"".join(container.get_logs()))
        played.check_met()
        assert told_in(tmp_path, personal_in(STORY)) == []


def _container(name: str, environment: Mapping[str, str]) -> DockerContainer:
    container = DockerContainer(services()[name]["image"]).with_envs(**environment)
    for file in ("policy.yaml", "secrets.env"):
        container.with_volume_mapping(EMBEDDED / file, f"/etc/tellonce/{file}")
    return container.with_kwargs(
        network_mode="host",
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges:true"],
    )
