"""A client of Tellonce in one file, to be copied: commands, queries, and the ledger in order. It needs nats-py alone.

    async with await connect("nats://127.0.0.1:4222", tenant="demo", name="shop") as tellonce:
        done = await tellonce.command("announce", {"kind": "outage", "text": "Cards are not taken."})
        answer = await tellonce.query("announcements", {"min_seq": done.position})
        async for entry in tellonce.follow(after=0):
            print(entry.sequence, entry.event["type"])

What commands, queries and events hold: `docs/reference/asyncapi.json` and the schemas that it names.
"""

import asyncio
import json
import logging
import time
import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, Self

import nats
from nats.aio.client import Client as Connection
from nats.errors import ConnectionClosedError
from nats.errors import Error as BusError

REPLY_SECONDS, WITHIN_SECONDS = 5.0, 30.0
"""Longest wait for one try, and for all tries of a request."""
PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 2.0
HEARTBEAT_SECONDS, SILENT_HEARTBEATS = 2.0, 3
"""So often the server says that a follower's consumer is there; after so many without a word another one is made."""
STREAM, SECOND_NS, CONSUMER_KEPT_SECONDS = "LEDGER", 1_000_000_000, 60
LOG = logging.getLogger("tellonce")


class Refused(Exception):
    """A command or query was refused. `code` never changes its meaning; `retryable`: later it may be carried out."""

    def __init__(
        self, code: str, message: str, retryable: bool, details: Mapping[str, Any]
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.retryable, self.details = code, retryable, details


class NotReached(Exception):
    """Nobody answered in time. Whether a command was carried out is not known: send `body` again to learn it."""

    def __init__(self, subject: str, body: Mapping[str, Any]) -> None:
        super().__init__(f"nobody answered on {subject}")
        self.body = body


class Done(NamedTuple):
    """The reply to a command. `position`: give it to a query as `min_seq`, and its answer holds what was done."""

    events: list[dict[str, Any]]
    position: int


class Entry(NamedTuple):
    """One event of the ledger, a CloudEvent. `sequence`: its place, by which `follow` goes on after it."""

    sequence: int
    event: dict[str, Any]


class Checkpoint:
    """How far a follower is, in a file. Where the work's result is kept in one step with it, nothing is done twice."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.sequence = int(path.read_text()) if path.exists() else 0

    def advance(self, sequence: int) -> None:
        """Note that everything up to a sequence is dealt with; whatever dies, the file is the old or the new one."""
        self._path.with_suffix(".new").write_text(str(sequence))
        self._path.with_suffix(".new").replace(self._path)
        self.sequence = sequence


async def connect(url: str, *, tenant: str, name: str, **options: Any) -> "Tellonce":
    """Return a client that reconnects for ever. `name`: of your service, a token of its own: `[a-z0-9_-]{1,32}`.

    `options` go to `nats.connect`, for example `nkeys_seed`, a file. Raises: nats.errors.NoServersError.
    """
    own = {"inbox_prefix": f"_INBOX.{name}", "max_reconnect_attempts": -1, **options}
    return Tellonce(await nats.connect(url, name=name, **own), tenant, name)


class Tellonce:
    """One tenant's commands, queries and ledger, as one service."""

    def __init__(self, connection: Connection, tenant: str, name: str) -> None:
        self.connection, self.tenant, self.name = connection, tenant, name
        self.within_seconds = WITHIN_SECONDS

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.connection.close()

    def envelope(self) -> dict[str, Any]:
        """Return what every command carries. Whoever may die before the reply keeps it, and sends the same again."""
        now = datetime.now(UTC).isoformat()
        return {"command_id": uuid.uuid4().hex, "issued_at": now, "actor": f"service:{self.name}"}

    async def command(self, name: str, body: Mapping[str, Any]) -> Done:
        """Send a command until it is answered, with one `command_id`: it has one effect, however often it is sent.

        What `envelope` has is filled in where `body` has none. Raises: Refused, NotReached.
        """
        reply = await self._request(f"cmd.{self.tenant}.{name}", {**self.envelope(), **body})
        return Done(reply["events"], reply["position"])

    async def query(self, name: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the answer to a query. Raises: Refused, NotReached."""
        return await self._request(f"query.{self.tenant}.{name}", body or {})

    async def _request(self, subject: str, body: Mapping[str, Any]) -> dict[str, Any]:
        payload, deadline = json.dumps(body).encode(), time.monotonic() + self.within_seconds
        pause = PAUSE_SECONDS
        while True:
            failure: Exception = NotReached(subject, body)
            with suppress(BusError):  # time-out, nobody there, connection lost: send it again
                message = await self.connection.request(subject, payload, timeout=REPLY_SECONDS)
                reply: dict[str, Any] = json.loads(message.data)
                if "error" not in reply:
                    return reply
                failure = Refused(**reply["error"])
            final = isinstance(failure, Refused) and not failure.retryable
            if final or self.connection.is_closed or time.monotonic() + pause > deadline:
                raise failure
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def follow(self, after: int) -> AsyncGenerator[Entry, None]:
        """Yield every entry of the tenant's ledger after a sequence, in order and without a gap, for ever.

        One process of a `name` at a time: a second one takes the consumer from the first, and they go on in turns.
        Raises: nats.errors.ConnectionClosedError.
        """
        while True:
            try:
                async with aclosing(self._consume(after)) as entries:
                    async for entry in entries:
                        yield entry
                        after = entry.sequence
            except ConnectionClosedError:
                raise
            except BusError as error:
                LOG.warning("another consumer is made: %s", error)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _consume(self, after: int) -> AsyncGenerator[Entry, None]:
        """Yield entries from a new consumer until one is missing. Raises: BusError when it is silent, or not made."""
        inbox, number = (
            self.connection.new_inbox(),
            0,
        )  # its own: another consumer's cannot be taken for it
        arriving = await self.connection.subscribe(inbox)
        try:
            await self._make_consumer(inbox, after)
            while True:
                message = await arriving.next_msg(HEARTBEAT_SECONDS * SILENT_HEARTBEATS)
                if (
                    message.headers and "Status" in message.headers
                ):  # a heartbeat, or: may more come?
                    if to := message.reply or message.headers.get("Nats-Consumer-Stalled"):
                        await self.connection.publish(to)
                    if int(message.headers.get("Nats-Last-Consumer", number)) != number:
                        return
                    continue
                number += 1
                if message.metadata.sequence.consumer != number:
                    return
                yield Entry(message.metadata.sequence.stream, json.loads(message.data))
        finally:
            await arriving.unsubscribe()

    async def _make_consumer(self, inbox: str, after: int) -> None:
        subjects, wait_ns = f"ledger.*.{self.tenant}.>", int(HEARTBEAT_SECONDS * SECOND_NS)
        start = {"deliver_policy": "by_start_sequence", "opt_start_seq": after + 1}
        pace = {"ack_policy": "none", "flow_control": True, "idle_heartbeat": wait_ns}
        kept = {"mem_storage": True, "inactive_threshold": CONSUMER_KEPT_SECONDS * SECOND_NS}
        where = {"name": self.name, "filter_subject": subjects, "deliver_subject": inbox}
        wanted = {"stream_name": STREAM, "config": {**where, **start, **pace, **kept}}
        with suppress(BusError):  # mostly there is none
            await self._api(f"DELETE.{STREAM}.{self.name}", {})
        await self._api(f"CREATE.{STREAM}.{self.name}.{subjects}", wanted)

    async def _api(self, call: str, body: Mapping[str, Any]) -> None:
        subject, payload = f"$JS.API.CONSUMER.{call}", json.dumps(body).encode()
        answer = await self.connection.request(subject, payload, timeout=REPLY_SECONDS)
        problem = json.loads(answer.data).get("error")
        if problem:
            raise BusError(f"{call}: {problem['description']}")
