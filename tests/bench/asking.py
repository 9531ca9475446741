"""Small queries over the bus, against indexed SELECTs of the same rows and an echo of as many bytes."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TypeAlias

import asyncpg
import msgspec
from asyncpg.prepared_stmt import PreparedStatement

from deploy.embedded.stack import EmbeddedStack
from deploy.rights import KEEPER
from shared import subjects
from shared.bus import Bus, connect
from shared.bus.deliveries import Message
from tests.bench.figures import Ratios, Side, alternate, timed

ROUNDS = 9
ASKED = 60
CROWD = 32
CROWD_ROUNDS = 5
CROWD_ASKED = 320
CROWD_CONNECTIONS = 8
"""With Postgres, for the SELECTs of a crowd: as many as history has for its own."""
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

Ask = Callable[[], Awaitable[object]]
Statement: TypeAlias = "PreparedStatement[asyncpg.Record]"


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
        bus = await connect(stack.bus_address(KEEPER), "bench-asking")
        held.push_async_callback(bus.close)
        other = await connect(stack.bus_address(KEEPER), "bench-echo")
        held.push_async_callback(other.close)
        views = [
            await asyncpg.connect(stack.addresses["postgres"]) for _ in range(CROWD_CONNECTIONS)
        ]
        for view in views:
            held.push_async_callback(view.close)
        for asked in await _questions(views[0]):
            ours = await _over_the_bus(bus, other, asked)
            selects = [await view.prepare(asked.statement) for view in views]
            bare = _selected(bus, selects[0], asked)
            what = f"query {asked.name} / its SELECT and an echo"
            found.append(await alternate(what, ROUNDS, ASKED, _many(ours), _many(bare)))
            sides = _crowd(ours), _crowd(_selected_by_many(bus, selects, asked))
            what = f"    {CROWD} ask at once"
            found.append(await alternate(what, CROWD_ROUNDS, CROWD_ASKED, *sides))
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


async def _over_the_bus(bus: Bus, other: Bus, asked: Asked) -> Ask:
    """Return what asks the question; from now on as many bytes as its answer has are echoed."""
    subject = subjects.query(TENANT, asked.name)
    answer = await bus.request(subject, asked.body)
    if answer.startswith(b'{"error"'):
        raise RuntimeError(answer.decode())
    filler = b"x" * len(answer)

    async def echo(message: Message) -> None:
        await message.respond(filler)

    await other.subscribe(f"echo.{asked.name}", echo)
    await other.flush()

    async def ours() -> object:
        return await bus.request(subject, asked.body)

    return ours


def _selected(bus: Bus, select: Statement, asked: Asked) -> Ask:
    async def bare() -> object:
        await select.fetch(TENANT, asked.argument)
        return await bus.request(f"echo.{asked.name}", asked.body)

    return bare


def _selected_by_many(bus: Bus, selects: Sequence[Statement], asked: Asked) -> Ask:
    free: asyncio.Queue[Statement] = asyncio.Queue()
    for each in selects:
        free.put_nowait(each)

    async def bare() -> object:
        select = await free.get()
        await select.fetch(TENANT, asked.argument)
        free.put_nowait(select)
        return await bus.request(f"echo.{asked.name}", asked.body)

    return bare


def _many(one: Ask) -> Side:
    async def side(_: int) -> float:
        async def every() -> None:
            for _ in range(ASKED):
                await one()

        return await timed(every())

    return side


def _crowd(one: Ask) -> Side:
    async def side(_: int) -> float:
        left = iter(range(CROWD_ASKED))

        async def each() -> None:
            for _ in left:
                await one()

        return await timed(asyncio.gather(*(each() for _ in range(CROWD))))

    return side
