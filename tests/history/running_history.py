"""history as it runs: a real NATS with the bootstrap job's streams, a real Postgres, its own process."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import msgspec

from deploy import bootstrap
from deploy.embedded.probes import service_answers
from deploy.embedded.process import Child, Program
from shared import settings, subjects
from shared.bus import Bus, connect
from shared.codec import PlainCodec
from shared.errors import TellonceError
from shared.ledger.jetstream import NatsLedger
from tests.history.handwritten_ledger import TENANT, HandwrittenLedger
from tests.history.parcel_story import ParcelStory
from tests.support.servers import EmbeddedNats, EmbeddedPostgres
from tests.support.waiting import eventually

WITHIN_SECONDS = 20.0
ASK_SECONDS = 3.0
ANSWERED_SECONDS = 60.0
"""A frozen process still gets its share of the questions, by chance; a caller asks again."""


class RunningHistory:
    """Servers in a folder of the test's own, a story to write, and questions over the bus."""

    def __init__(self, folder: Path, template: Path) -> None:
        self.folder = folder
        self.nats = EmbeddedNats(folder / "nats")
        self.postgres = EmbeddedPostgres(
            folder / "postgres" / "data", template=template, syncs=False
        )
        self.children: list[Child] = []

    async def open(self) -> None:
        (self.folder / "postgres").mkdir()
        await asyncio.gather(self.nats.start(), self.postgres.start())
        self.environment = {
            "TELLONCE_NATS_URL": self.nats.url,
            "TELLONCE_POSTGRES_DSN": self.postgres.dsn,
            "TELLONCE_QUERY_WAIT_SECONDS": "1.5",
        }
        await bootstrap.bootstrap(settings.load(self.environment))
        self.bus: Bus = await connect(self.nats.url, "test")
        self.handwritten = HandwrittenLedger(NatsLedger(self.bus, PlainCodec()))
        self.parcel = ParcelStory(self.handwritten)

    async def close(self) -> None:
        await asyncio.gather(*(child.stop() for child in self.children))
        await self.bus.close()
        await asyncio.gather(self.nats.stop(), self.postgres.stop())

    async def start(self, *, until_ready: bool = True) -> Child:
        """Start the service; it is ready when it answers the micro protocol's ping."""

        async def ready() -> bool:
            return await service_answers(self.nats.address, "history")

        program = Program(
            name="history",
            argv=(sys.executable, "-m", "services.history"),
            log_path=self.folder / "history.log",
            ready=ready,
            env=self.environment,
        )
        child = await Child.start(program)
        self.children.append(child)
        if until_ready:
            await child.wait_ready()
        return child

    async def request(
        self, subject: str, timeout_seconds: float = WITHIN_SECONDS, **asked: Any
    ) -> dict[str, Any]:
        body = msgspec.json.encode(asked)
        reply = await self.bus.request(subject, body, timeout_seconds=timeout_seconds)
        answer: dict[str, Any] = msgspec.json.decode(reply)
        return answer

    async def ask(self, name: str, tenant: str = TENANT, **asked: Any) -> dict[str, Any]:
        return await self.request(subjects.query(tenant, name), ASK_SECONDS, **asked)

    async def answered(self, name: str, **asked: Any) -> dict[str, Any]:
        """Ask until it is answered, as a caller does who repeats what is retryable."""
        found: dict[str, Any] = {}

        async def there() -> bool:
            try:
                found.update(await self.ask(name, **asked))
            except TellonceError as error:
                assert error.retryable  # noqa: PT017  what is not retryable is no fault of a moment
                return False
            problem = found.pop("error", None)
            assert problem is None or problem["retryable"]
            return problem is None

        await eventually(there, ANSWERED_SECONDS)
        return found

    async def digests_agree(self) -> None:
        """A rebuild in a fresh process makes the live rows again."""
        outcome = await self.request("ops.history.rebuild")
        assert outcome.get("differing") == [], outcome
        assert outcome["live"] == outcome["rebuilt"]
