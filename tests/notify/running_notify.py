"""notify as it runs in the house: a real NATS, the bootstrap job, a real mail server, its own process."""

import asyncio
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import yaml

from deploy import bootstrap
from deploy.embedded.probes import service_answers
from deploy.embedded.process import Child, Program
from shared import aggregates, settings, streams, subjects
from shared.bus import Bus, connect
from shared.bus.deliveries import Message
from shared.codec import PlainCodec, decode
from shared.events import AnyEvent, ConversationId
from shared.ledger import Write
from shared.ledger.jetstream import NatsLedger
from tests.notify.samples import CONVERSATION, TENANT
from tests.notify.sink import Sink
from tests.support.servers import EmbeddedNats
from tests.support.waiting import eventually

WITHIN_SECONDS = 15.0
TAKEN = [each for each in streams.notify_consumers() if each.name != streams.fired("notify")]
"""What is done when notify rests. A timer that asks about nothing keeps its place for a while."""


def lane_of(aggregate: str) -> str:
    """Return the consumer that gives the events of an aggregate to whoever tells people."""
    return streams.notify_lane(subjects.partition(aggregate) % streams.NOTIFY_LANES)


LANE = lane_of(aggregates.CONVERSATION.of(CONVERSATION))


@dataclass
class RunningNotify:
    """Real servers in a folder of the test's own. `policy`: what stands in the embedded one's place, by field."""

    folder: Path
    sink: Sink
    policy: dict[str, Any] = field(default_factory=dict)
    screens: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    expected: int = 0
    module: str = "services.notify"

    async def open(self) -> None:
        self.nats = EmbeddedNats(self.folder / "nats")
        await self.nats.start()
        self.environment = {
            "TELLONCE_NATS_URL": self.nats.url,
            "TELLONCE_SMTP_URL": self.sink.url,
            "TELLONCE_POLICY": str(self._policy()),
        }
        await bootstrap.bootstrap(settings.load(self.environment))
        self.bus: Bus = await connect(self.nats.url, "test")
        self.ledger = NatsLedger(self.bus, PlainCodec())
        await self.bus.subscribe(f"screen.{TENANT}.*", self._shown)
        self.children: list[Child] = []

    async def close(self) -> None:
        await asyncio.gather(*(child.stop() for child in self.children))
        await self.bus.close()
        await self.nats.stop()

    async def start(self) -> Child:
        child = await self.launch()
        await child.wait_ready()
        return child

    async def launch(self) -> Child:
        """Start the service without waiting for it."""
        child = await Child.start(self.program())
        self.children.append(child)
        return child

    def program(self) -> Program:
        async def ready() -> bool:
            return await service_answers(self.nats.address, "notify")

        return Program(
            name="notify",
            argv=(sys.executable, "-m", self.module),
            log_path=self.folder / "notify.log",
            ready=ready,
            env={**self.environment, "PYTHONPATH": os.pathsep.join(sys.path)},
        )

    async def kill(self) -> None:
        """End the service that was started last by signal 9."""
        await self.children[-1].kill()

    async def happens(self, *events: AnyEvent) -> None:
        """The router writes these events to the conversation."""
        aggregate = aggregates.CONVERSATION.of(CONVERSATION)
        for event in events:
            appended = await self.ledger.append(TENANT, [Write(aggregate, self.expected, [event])])
            self.expected = appended.last[aggregate]

    async def notifications(self, conversation: ConversationId = CONVERSATION) -> list[AnyEvent]:
        found = await self.ledger.read_leader(TENANT, aggregates.NOTIFICATION.of(conversation))
        return [each.event for each in found]

    async def types(self) -> list[str]:
        return [event.type for event in await self.notifications()]

    async def until_types(self, *types: str) -> list[AnyEvent]:
        """Wait until the notifications' events are of these types; return them."""
        await self.until(lambda found: [each.type for each in found] == list(types))
        return await self.notifications()

    async def until(self, condition: Any) -> None:
        last: list[AnyEvent] = []

        async def met() -> bool:
            nonlocal last
            last = await self.notifications()
            return bool(condition(last))

        try:
            await eventually(met)
        except AssertionError:
            raise AssertionError(f"notifications stay at {[each.type for each in last]}") from None

    async def outcomes(self) -> list[AnyEvent]:
        """What notify reported on CONTACTS, oldest first."""
        info = await self.bus.api("STREAM.INFO.CONTACTS")
        found = []
        for sequence in range(1, int(info["state"]["last_seq"]) + 1):
            stored = await self.bus.leader_get("CONTACTS", sequence=sequence)
            assert stored is not None
            found.append(decode(stored.body))
        return found

    async def until_outcome(self) -> AnyEvent:
        async def met() -> bool:
            return bool(await self.outcomes())

        await eventually(met)
        (outcome,) = await self.outcomes()
        return outcome

    async def idle(self) -> None:
        """Wait until notify has read the whole ledger, and acknowledged all of it and what it handed on."""

        async def met() -> bool:
            return all([await self._idle(each) for each in TAKEN])

        await eventually(met)

    async def command(self, name: str, **body: object) -> dict[str, Any]:
        reply = await self.bus.request(subjects.command(TENANT, name), msgspec.json.encode(body))
        answer: dict[str, Any] = msgspec.json.decode(reply)
        return answer

    async def deliver_again(self, consumer: str) -> None:
        """Have everything delivered once more, as after a consumer was lost: made anew by the bootstrap job."""
        await self.bus.api(f"CONSUMER.DELETE.LEDGER.{consumer}")
        await bootstrap.bootstrap(settings.load(self.environment))

    async def _idle(self, consumer: streams.Consumer) -> bool:
        info = await self.bus.api(f"CONSUMER.INFO.{consumer.stream}.{consumer.name}")
        return int(info["num_pending"]) == 0 and int(info["num_ack_pending"]) == 0

    async def _shown(self, message: Message) -> None:
        self.screens.append((message.subject.split(".")[-1], msgspec.json.decode(message.body)))

    def _policy(self) -> Path:
        chosen = yaml.safe_load(Path(settings.Settings().policy).read_bytes())
        chosen |= self.policy
        chosen["queues"]["hotline"]["supervisor"] = "ewa"
        path = self.folder / "policy.yaml"
        path.write_text(yaml.safe_dump(chosen), "utf-8")
        return path
