"""Small queries over the bus, against indexed SELECTs of the same rows and an echo of as many bytes."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import asyncpg
import msgspec

from deploy.embedded.stack import EmbeddedStack
from shared import subjects
from shared.bus import Bus, connect
from shared.bus.deliveries import Message
from tests.bench.figures import Ratios, alternate, timed

ROUNDS = 9
ASKED = 60
TENANT = "demo"
LIVE = "SELECT schema FROM public.generation WHERE state = 'live'"
A_CONVERSATION = """
SELECT conversation, min(id) AS event FROM {schema}.event WHERE conversation IS NOT NULL
GROUP BY conversation ORDER BY count(*) DESC LIMIT 1
"""
ROWS = {
    "conversation": "SELECT * FROM {schema}.conversation WHERE tenant = $1 AND id = $2",
    "context": """
        SELECT e.body FROM {schema}.packet p JOIN {schema}.event e USING (sequence)
        WHERE p.tenant = $1 AND p.conversation = $2 ORDER BY p.sequence DESC LIMIT 1
    """,
    "timeline": """
        SELECT sequence, occurred, recorded, type, contact_id, channel, actor, text, open FROM {schema}.timeline
        WHERE tenant = $1 AND conversation = $2 ORDER BY sequence
    """,
    "known": "SELECT id, sequence FROM {schema}.event WHERE tenant = $1 AND id = $2",
}


@dataclass(frozen=True)
class Asked:
    """A query, what it is asked for, and the SELECT that reads the same rows."""

    name: str
    body: bytes
    statement: str
    argument: str


async def compare(stack: EmbeddedStack) -> list[Ratios]:
    """Return a comparison per query, on a stack whose tables hold conversations."""
    found = []
    async with AsyncExitStack() as held:
        bus = await connect(stack.addresses["nats"], "bench-asking")
        held.push_async_callback(bus.close)
        other = await connect(stack.addresses["nats"], "bench-echo")
        held.push_async_callback(other.close)
        view = await asyncpg.connect(stack.addresses["postgres"])
        held.push_async_callback(view.close)
        for asked in await _questions(view):
            ours, bare = await _sides(bus, other, view, asked)
            what = f"query {asked.name} / its SELECT and an echo"
            found.append(await alternate(what, ROUNDS, ASKED, _many(ours), _many(bare)))
    return found


async def _questions(view: "asyncpg.Connection[asyncpg.Record]") -> list[Asked]:
    schema = f'"{await view.fetchval(LIVE)}"'
    row = await view.fetchrow(A_CONVERSATION.format(schema=schema))
    assert row is not None
    conversation, event = row["conversation"], row["event"]
    bodies = {"known": {"ids": [event]}}
    return [
        Asked(
            name,
            msgspec.json.encode(bodies.get(name, {"conversation": conversation})),
            statement.format(schema=schema),
            event if name == "known" else conversation,
        )
        for name, statement in ROWS.items()
    ]


async def _sides(
    bus: Bus, other: Bus, view: "asyncpg.Connection[asyncpg.Record]", asked: Asked
) -> tuple[Callable[[], Awaitable[object]], Callable[[], Awaitable[object]]]:
    subject = subjects.query(TENANT, asked.name)
    answer = await bus.request(subject, asked.body)
    if answer.startswith(b'{"error"'):
        raise RuntimeError(answer.decode())
    filler = b"x" * len(answer)

    async def echo(message: Message) -> None:
        await message.respond(filler)

    await other.subscribe(f"echo.{asked.name}", echo)
    await other.flush()
    select = await view.prepare(asked.statement)

    async def ours() -> object:
        return await bus.request(subject, asked.body)

    async def bare() -> object:
        await select.fetch(TENANT, asked.argument)
        return await bus.request(f"echo.{asked.name}", asked.body)

    return ours, bare


def _many(one: Callable[[], Awaitable[object]]) -> Callable[[int], Awaitable[float]]:
    async def side(_: int) -> float:
        async def every() -> None:
            for _ in range(ASKED):
                await one()

        return await timed(every())

    return side
