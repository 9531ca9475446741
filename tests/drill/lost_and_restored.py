"""The drill: a stack with a past is backed up at work, goes on, is lost, and is put back in another folder.

What must hold then: the ledger is the same to the byte, and the rows that are made of it too; deadlines that stood are
asked, contacts are taken, what came after the backup is decided once when it is delivered again, and who remembers the
lost ledger is heard.
"""

import asyncio
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from deploy.backup import manifest
from deploy.embedded import state
from deploy.embedded.errors import ProgramExited
from deploy.embedded.stack import EmbeddedStack, Plan
from deploy.rights import KEEPER
from deploy.story.checks.quiescence import until_at_rest
from deploy.story.stack import merged_policy
from shared import bus as buses
from shared import errors
from shared.events import ContactOfferExpired
from tests.drill.counter import Counter, Standing, live_rows, rows_of, standing
from tests.faults.asking import wait
from tests.support.servers import EmbeddedPostgres

AGENT = "piotr"
OFFER_SECONDS = 20
"""Longer than a backup takes, and not long to wait for."""
OLD, NEW = "old", "new"
WITHIN_SECONDS = 90.0
TOOL_SECONDS = 600.0

Say = Callable[[str, float, str], None]


@dataclass
class Drill:
    """One drill. `folder`: holds the stack `old` already, if it has a past; `say`: what was done, in how many seconds,
    and how much; `wrong`: what did not hold."""

    folder: Path
    policy: Path
    say: Say
    wrong: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, folder: Path, policy: bytes, say: Say) -> "Drill":
        """Return a drill with a tenant's policy, in which offers expire soon."""
        mine = folder / "policy.yaml"
        times = {"times": {"offer_seconds": OFFER_SECONDS}}
        mine.write_bytes(merged_policy(policy, times))
        return cls(folder, mine, say)

    @property
    def environment(self) -> dict[str, str]:
        return {"TELLONCE_POLICY": str(self.policy)}

    @property
    def backup(self) -> Path:
        return self.folder / "backup"

    def check(self, what: str, *, holds: bool) -> None:
        self.wrong += [] if holds else [what]

    async def until(self, what: str, condition: Callable[[], bool]) -> None:
        """Wait; what does not come true is wrong, and the drill goes on."""
        deadline = time.monotonic() + WITHIN_SECONDS
        while not condition() and time.monotonic() < deadline:
            await wait()
        self.check(f"never seen: {what}", holds=condition())

    async def tool(self, *argv: str, code: int = 0) -> str:
        """Give a command line as an operator does; return what it printed."""
        program = str(Path(sys.executable).with_name("tellonce"))
        running = await asyncio.create_subprocess_exec(
            *(program, *argv),
            env={**os.environ, **self.environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await asyncio.wait_for(running.communicate(), TOOL_SECONDS)
        text = said.decode(errors="replace")
        self.check(
            f"tellonce {argv[0]} ended with {running.returncode}: {text}",
            holds=running.returncode == code,
        )
        return text

    @asynccontextmanager
    async def working(self, name: str) -> AsyncIterator[Counter]:
        """Run a stack, read its ledger, and give who works there."""
        plan = Plan(folder=self.folder / name, environment=self.environment, users=(KEEPER,))
        async with AsyncExitStack() as held:
            stack = await held.enter_async_context(EmbeddedStack(plan))
            bus = await buses.connect(stack.bus_address(KEEPER), "drill")
            held.push_async_callback(bus.close)
            counter = Counter(stack, bus, self.policy)
            held.push_async_callback(counter.close)
            reading = asyncio.create_task(counter.follow())
            held.callback(reading.cancel)
            yield counter


async def run(drill: Drill) -> None:
    """Do it all. Raises: SetupError when a stack does not start."""
    before, offers = await _at_work(drill)
    began = time.monotonic()
    data = str(drill.folder / NEW)
    await drill.tool("restore", str(drill.backup), "--reason", "a drill", "--data", data)
    drill.say("restore", time.monotonic() - began, f"{before.position} events")
    await _is_the_same(drill, before)
    began = time.monotonic()
    async with drill.working(NEW) as counter:
        drill.say("start", time.monotonic() - began, "history has built its tables anew")
        await _goes_on(drill, counter, offers)
    await _who_remembers_is_heard(drill)


async def _at_work(drill: Drill) -> tuple[Standing, set[str]]:
    """Back a stack up while an offer waits; return what stood then, and that offer. Then it goes on, and is no more."""
    async with drill.working(OLD) as counter:
        await counter.does(AGENT, "sign_in")
        await counter.form("before")
        await drill.until("an offer", lambda: bool(counter.waiting()))
        busy = await until_at_rest(counter.bus)
        drill.check(f"at work for ever: {busy}", holds=not busy)
        offers = counter.waiting()
        began = time.monotonic()
        await drill.tool("backup", str(drill.backup), "--data", str(counter.stack.folder))
        taken, seconds = manifest.checked(drill.backup), time.monotonic() - began
        size = sum(each.size_bytes for each in taken.streams.values())
        drill.say("backup", seconds, f"{taken.position} events, {size:,} bytes")
        position, rows = await live_rows(counter.bus)
        drill.check(f"the rows stand at {position}", holds=position == taken.position)
        before = await standing(counter.bus, taken.position, rows)
        await counter.form("after")
        await drill.until("a contact after the backup", lambda: counter.decided("after") == 1)
        return before, offers


async def _is_the_same(drill: Drill, before: Standing) -> None:
    """Compare the ledger that was put back, and rows that are made of it in a database of their own."""
    plan = Plan(folder=drill.folder / NEW, users=(KEEPER,), bootstrap=(), services={})
    async with AsyncExitStack() as held:
        servers = await held.enter_async_context(EmbeddedStack(plan))
        empty = await held.enter_async_context(EmbeddedPostgres(drill.folder / "empty"))
        bus = await buses.connect(servers.bus_address(KEEPER), "drill")
        held.push_async_callback(bus.close)
        began = time.monotonic()
        rows = await rows_of(bus, empty.dsn, before.position)
        drill.say("project", time.monotonic() - began, "into an empty database, to compare")
        after = await standing(bus, before.position, rows)
    drill.check(f"another ledger or other rows: {before} {after}", holds=after == before)


async def _goes_on(drill: Drill, counter: Counter, offers: set[str]) -> None:
    """A deadline that stood is asked, contacts are taken, and what was lost is decided once when it comes again."""
    began = time.monotonic()
    await drill.until(
        "the deadline of an offer", lambda: offers <= counter.offers(ContactOfferExpired)
    )
    drill.say(
        "deadline", time.monotonic() - began, "of an offer that stood when the backup was taken"
    )
    for marker in ("after", "after", "new", "before"):
        await counter.form(marker)
    await drill.until("a new contact", lambda: counter.decided("new") == 1)
    await until_at_rest(counter.bus)
    for marker in ("before", "after"):
        times = counter.decided(marker)
        drill.check(f"the form '{marker}' is decided {times} times", holds=times == 1)
    await live_rows(counter.bus)


async def _who_remembers_is_heard(drill: Drill) -> None:
    """The lost stack's own mark knows of more: with it the stack does not start, and says what to do."""
    new = drill.folder / NEW
    shutil.copy(drill.folder / OLD / state.LEDGER_MARK, new / state.LEDGER_MARK)
    await drill.tool("ledger", "check", "--data", str(new), code=1)
    try:
        async with drill.working(NEW):
            drill.wrong.append("a stack starts beside a mark of another ledger")
    except ProgramExited as refusal:
        named = errors.LedgerContradicted.code in refusal.how_to_mend
        drill.check(f"refused for another reason: {refusal.how_to_mend}", holds=named)
