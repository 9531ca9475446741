"""The router as it runs in the house: a real NATS, the bootstrap job, processes of its own, history's answers."""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import yaml

from deploy import bootstrap
from deploy.embedded.probes import service_answers
from deploy.embedded.process import Child, Program
from services.router.tolerant_codec import TolerantCodec
from shared import settings, streams, subjects
from shared.bus import Bus, connect
from shared.bus.deliveries import Message, Subscription
from shared.codec import encode
from shared.events import AnyEvent, InboundEvent, PayloadQuarantined, PayloadQuarantinedOpen
from shared.lanes import partitions_of
from shared.ledger import Recorded
from shared.ledger.jetstream import NatsLedger
from shared.policies import Policies, load_all
from shared.queries import KnownAnswer, KnownEvent
from shared.tasks import end
from tests.router.samples import POLICY_TEXT, TENANT
from tests.support.servers import EmbeddedNats
from tests.support.waiting import eventually

WITHIN_SECONDS = 20.0
POLL_SECONDS = 0.01
LIVE = streams.contact_partitions("live")


class RunningRouter:
    """Real servers in a folder of the test's own.

    `times`: of the policy, where they differ from the samples'; `rules`: what else it says; `others`: further tenants
    by the same policy, with the names of their lookup keys.
    """

    def __init__(
        self,
        folder: Path,
        times: dict[str, float] | None = None,
        others: Mapping[str, str] | None = None,
        **rules: Any,
    ) -> None:
        self.folder = folder
        self.nats = EmbeddedNats(folder / "nats")
        self.book: list[Recorded] = []
        self.routers: list[Child] = []
        self.module = "services.router"
        self._times = times or {}
        self._rules = rules
        self._others = others or {}
        self._commands_given = 0
        self._history: Subscription | None = None

    async def open(self, *, book: bool = True) -> None:
        """Start the servers. `book`: what the ledger holds is kept at hand."""
        await self.nats.start()
        policy = self._policy()
        self.partitions_of = partitions_of(Policies(*load_all(policy)))
        self.environment = {
            "TELLONCE_NATS_URL": self.nats.url,
            "TELLONCE_POLICY": str(policy),
            "TELLONCE_REQUEST_TIMEOUT_SECONDS": "1",
        }
        await self.bootstrap()
        self.bus: Bus = await connect(self.nats.url, "test")
        self.ledger = NatsLedger(self.bus, TolerantCodec())
        self._following = asyncio.create_task(self._follow()) if book else None
        await self.history_answers()

    async def bootstrap(self) -> None:
        """Make the streams and consumers that are missing."""
        await bootstrap.bootstrap(settings.load(self.environment))

    async def close(self) -> None:
        await asyncio.gather(*(child.kill() for child in self.routers))
        if self._following is not None:
            await end([self._following])
        await self.bus.close()
        await self.nats.stop()

    # -- routers ------------------------------------------------------------------------------------

    async def start_router(self) -> Child:
        child = await self.launch_router()
        await child.wait_ready()
        return child

    async def launch_router(self) -> Child:
        """Start a router without waiting for it."""
        number = len(self.routers)
        child = await Child.start(self.program(f"router-{number}"))
        self.routers.append(child)
        return child

    def program(self, name: str) -> Program:
        async def ready() -> bool:
            return await service_answers(self.nats.address, "router")

        return Program(
            name="router",
            argv=(sys.executable, "-m", self.module),
            log_path=self.folder / f"{name}.log",
            ready=ready,
            env=self.environment,
        )

    async def two_routers(self) -> None:
        """Start two routers; both are ready when both have said so."""
        one, other = await self.launch_router(), await self.launch_router()

        async def ready() -> bool:
            logs = [child.program.log_path.read_text("utf-8") for child in (one, other)]
            return all("service_ready" in text for text in logs)

        await eventually(ready)

    # -- what happens -------------------------------------------------------------------------------

    async def happens(self, *events: InboundEvent | PayloadQuarantined) -> None:
        """The channels report these events, in order for each contact, and what could not be read for each account."""
        for event in events:
            opened = event.open
            key = (
                opened.account if isinstance(opened, PayloadQuarantinedOpen) else opened.contact_id
            )
            stored = (opened.channel, key, encode(event), event.id)
            await self.stores(*stored, self.partitions_of(event), event.tenant)

    async def stores(
        self,
        channel: str,
        routing_key: str,
        body: bytes,
        event_id: str,
        partitions: Sequence[int] = LIVE,
        tenant: str = TENANT,
    ) -> None:
        subject = subjects.contact(tenant, channel, routing_key, event_id, partitions)
        await self.bus.store(subject, body, msg_id=event_id)

    def body(self, actor: str, verb: str, **fields: Any) -> bytes:
        self._commands_given += 1
        given = {
            "command_id": f"c-{self._commands_given}",
            "issued_at": datetime.now(UTC),
            "actor": actor if ":" in actor else f"agent:{actor}",
        }
        return msgspec.json.encode({**given, **fields})

    async def asks(self, verb: str, body: bytes) -> dict[str, Any]:
        """Give a command; return the reply."""
        subject = subjects.command(TENANT, verb)
        reply: dict[str, Any] = msgspec.json.decode(await self.bus.request(subject, body))
        return reply

    async def does(self, actor: str, verb: str, **fields: Any) -> dict[str, Any]:
        """Give a command that must succeed; return the reply when the book holds it."""
        reply = await self.asks(verb, self.body(actor, verb, **fields))
        assert reply.get("ok"), reply
        await self.until(lambda: len(self.book) >= reply["position"])
        return reply

    # -- what stands ----------------------------------------------------------------------------------

    async def _follow(self) -> None:
        async for batch in self.ledger.follow(0):
            self.book.extend(batch)

    def of_type(self, *types: str) -> list[Recorded]:
        return [each for each in self.readable() if each.event.type in types]

    def readable(self) -> list[Recorded]:
        return [each for each in self.book if hasattr(each.event, "type")]

    def events(self, *types: str) -> list[Any]:
        return [each.event for each in self.of_type(*types)]

    def holds(self, event: AnyEvent) -> list[Recorded]:
        """Return where the ledger holds an event."""
        return [each for each in self.readable() if each.event.id == event.id]

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait until the condition holds of the book."""

        async def met() -> bool:
            return bool(condition())

        try:
            await eventually(met)
        except AssertionError:
            raise AssertionError(f"the book stays at {[e.event for e in self.book[-6:]]}") from None

    async def until_recorded(self, *events: AnyEvent) -> None:
        await self.until(lambda: all(self.holds(event) for event in events))

    async def idle(self) -> None:
        """Wait until every contact event was read and acknowledged."""

        async def met() -> bool:
            return await self.undecided() == 0

        await eventually(met)

    async def undecided(self) -> int:
        """Return how many contact events are not acknowledged."""
        listed = await self.bus.api(f"CONSUMER.LIST.{streams.CONTACTS}")
        names = {each.name for each in streams.router_consumers()}
        return sum(
            each["num_pending"] + each["num_ack_pending"]
            for each in listed["consumers"]
            if each["name"] in names
        )

    # -- history ----------------------------------------------------------------------------------------

    async def history_answers(self) -> None:
        """Answer `known` from the book, as history does from its tables."""

        async def answer(message: Message) -> None:
            question = msgspec.json.decode(message.body)
            await self.until(lambda: len(self.book) >= question.get("min_seq", 0))
            wanted = set(question["ids"])
            known = {
                str(e.event.id): KnownEvent(sequence=e.sequence, raw=e.event.raw)
                for e in self.readable()
                if e.event.id in wanted
            }
            reply = KnownAnswer(position=len(self.book), known=known)
            await self.bus.publish(message.reply, msgspec.json.encode(reply))

        self._history = await self.bus.subscribe("query.*.known", answer)

    async def history_is_away(self) -> None:
        assert self._history is not None
        await self._history.stop()
        await self.bus.flush()

    def _policy(self) -> Path:
        chosen = yaml.safe_load(POLICY_TEXT)
        chosen["times"] |= self._times
        chosen |= self._rules
        folder = self.folder / "policies"
        folder.mkdir(exist_ok=True)
        for tenant, key in {TENANT: "LOOKUP_KEY", **self._others}.items():
            policy = {**chosen, "tenant": tenant, "lookup_secret": key}
            (folder / f"{tenant}.yaml").write_text(yaml.safe_dump(policy), "utf-8")
        return folder
