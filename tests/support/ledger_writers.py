"""Writers that compete for aggregates at random, and put down how each append ended."""

import random
from collections.abc import Sequence

from shared.errors import LedgerConflict, LedgerUnavailable
from shared.ledger import Guard, Ledger, Recorded, Write
from tests.support.ledger import TENANT, event, last_of
from tests.support.ledger_history import Attempt, History


async def attempt(
    history: History, ledger: Ledger, writes: Sequence[Write], guards: Sequence[Guard] = ()
) -> bool:
    """Append once and put down how it ended."""
    guards = list(guards)
    try:
        appended = await ledger.append(TENANT, list(writes), guards)
    except LedgerConflict:
        history.attempts.append(Attempt(writes, guards, "refused"))
        return False
    except LedgerUnavailable:
        history.attempts.append(Attempt(writes, guards, "unknown"))
        return False
    history.attempts.append(Attempt(writes, guards, "acknowledged", appended.sequences))
    return True


async def write_once(
    history: History, ledger: Ledger, aggregates: list[str], dice: random.Random
) -> bool:
    """Append one event, or a guarded batch over two aggregates. Raises: LedgerUnavailable when nothing can be read."""
    first, second, guarded = dice.sample(aggregates, 3)
    stands = {each: await last_of(ledger, each) for each in (first, second, guarded)}
    writes = [Write(first, stands[first], [event(first)])]
    guards = []
    if dice.random() < 0.7:
        writes.append(Write(second, stands[second], [event(second), event(second)]))
        guards = [Guard(guarded, stands[guarded])]
    return await attempt(history, ledger, writes, guards)


async def everything(ledger: Ledger, after: int) -> list[Recorded]:
    """Return all events after a position, by `follow`, up to where the leader stands."""
    until = await ledger.position()
    found: list[Recorded] = []
    async for batch in ledger.follow(after):
        found.extend(batch)
        if found[-1].sequence >= until:
            break
    return found
