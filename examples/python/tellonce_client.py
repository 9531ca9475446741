"""A client of Tellonce in one file, to be copied: commands, queries, and the ledger in order. It needs nats-py alone,
and nats-py[nkeys] where the bus asks for a key.

    async with await connect("nats://127.0.0.1:4222", tenant="demo", name="shop", seed_file="…") as tellonce:
        done = await tellonce.command("announce", {"kind": "outage", "text": "Cards are not taken."})
        answer = await tellonce.query("announcements", {"min_seq": done.position})
        async for entry in tellonce.follow(after=0):
            print(entry.sequence, entry.event["type"])

What commands, queries and events hold: `docs/reference/asyncapi.json` and the schemas that it names.
"""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, Self

import nats
from nats.aio.client import Client as Connection
from nats.aio.msg import Msg
from nats.errors import Error as BusError

REPLY_SECONDS, WITHIN_SECONDS = 5.0, 30.0
"""Longest wait for one try, and for all tries of a request."""
PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 2.0
LOOK_SECONDS = 2.0
"""How often a follower looks for news of which nobody told it."""
INBOX_CHARACTERS = 16
"""So much of a public key tells whose inbox it is."""
SEQUENCE = "Nats-Sequence"
"""Where what is republished says its place in the ledger."""


class Refused(Exception):
    """A command or query was refused. `code` never changes its meaning; `retryable`: later it may be carried out."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        super().__init__(f"{problem['code']}: {problem['message']}")
        self.code: str = problem["code"]
        self.retryable: bool = problem["retryable"]
        self.details: Mapping[str, Any] = problem["details"]


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
    """One event of the ledger, a CloudEvent. `sequence`: its place, by which `follow` goes on after it.

    `event`: `None` for what an operator rejected: pass it over.
    """

    sequence: int
    event: dict[str, Any] | None


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


async def connect(
    url: str, *, tenant: str, name: str, seed_file: str | None = None, **options: Any
) -> "Tellonce":
    """Return a client that reconnects for ever. `name`: under which the tenant's policy lists you.

    `seed_file`: of the nkey by which the bus knows you; it lets you ask under that name and no other, and listen to
    inboxes that begin with your public key.
    `options` go to `nats.connect`. Raises: nats.errors.NoServersError.
    """
    inbox = name
    if seed_file is not None:
        options["nkeys_seed_str"], inbox = _key(Path(seed_file))
    own = {"inbox_prefix": f"_INBOX.{inbox}", "max_reconnect_attempts": -1, **options}
    return Tellonce(await nats.connect(url, name=name, **own), tenant, name)


def _key(seed_file: Path) -> tuple[str, str]:
    """Return a seed, and the name of the inboxes of whoever has it."""
    import nkeys  # type: ignore[import-not-found, import-untyped, unused-ignore]  # noqa: PLC0415  nats-py[nkeys]

    seed = seed_file.read_text().strip()
    public = nkeys.from_seed(bytearray(seed.encode())).public_key.decode()
    return seed, public[:INBOX_CHARACTERS]


class Tellonce:
    """One tenant's commands, queries and ledger, as one integration."""

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
        actor = f"integration:{self.name}"
        return {"command_id": uuid.uuid4().hex, "issued_at": now, "actor": actor}

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
        subject = f"{subject}.as.{self.name}"
        payload, deadline = json.dumps(body).encode(), time.monotonic() + self.within_seconds
        pause = PAUSE_SECONDS
        while True:
            failure: Exception = NotReached(subject, body)
            with suppress(BusError):  # time-out, nobody there, connection lost: send it again
                message = await self.connection.request(subject, payload, timeout=REPLY_SECONDS)
                reply: dict[str, Any] = json.loads(message.data)
                if "error" not in reply:
                    return reply
                failure = Refused(reply["error"])
            final = isinstance(failure, Refused) and not failure.retryable
            if final or self.connection.is_closed or time.monotonic() + pause > deadline:
                raise failure
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def follow(self, after: int) -> AsyncGenerator[Entry, None]:
        """Yield every entry of the tenant's ledger after a sequence, in order and without a gap, for ever.

        The server's `live.ledger` only says when to ask: what is lost of it delays an entry by LOOK_SECONDS.
        Raises: Refused, with `query.position_beyond_end` when the ledger does not hold `after`: it is another one.
        """
        told, news = after, asyncio.Event()

        async def note(message: Msg) -> None:
            nonlocal told
            told = max(told, int((message.headers or {}).get(SEQUENCE, 0)))
            news.set()

        live = await self.connection.subscribe(f"live.ledger.*.{self.tenant}.*.*", cb=note)
        try:
            while True:
                news.clear()
                page = await self._entries(after, told)
                for entry in page["entries"]:
                    yield Entry(entry["sequence"], entry["event"])
                    after = entry["sequence"]
                if page["next"] is None:  # up to here there is nothing more of this tenant
                    after = max(after, page["position"])
                    if told <= after:
                        with suppress(TimeoutError):
                            await asyncio.wait_for(news.wait(), LOOK_SECONDS)
        finally:
            await live.unsubscribe()

    async def _entries(self, after: int, told: int) -> dict[str, Any]:
        """Return the next page, however long history is away. Raises: Refused for good, NotReached when closed."""
        while True:
            try:
                return await self.query("entries", {"after": after, "min_seq": max(after, told)})
            except Refused as refused:
                if not refused.retryable:
                    raise
            except NotReached:
                if self.connection.is_closed:
                    raise
