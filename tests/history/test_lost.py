"""What became of whoever was lost: history's answer is the ledger's account, whatever happened that day."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from deploy.missed import account_of
from services.history.pool import Pool
from services.history.positions import Positions
from services.history.projection import Projection
from services.history.store import Session
from tests.history.caller import Caller, answers_over
from tests.history.handwritten_ledger import BEGIN, HandwrittenLedger
from tests.history.parcel_story import CUSTOMER, MISSED
from tests.router.test_missed_balance import Callers

STEPS = 120
DAYS = timedelta(days=30)


@pytest.mark.parametrize("seed", [1, 3])
async def test_history_answers_what_the_ledger_accounts_for(
    seed: int, pool: Pool, session: Session, handwritten: HandwrittenLedger
) -> None:
    """A random day, with retries, merges, tries in vain and withheld numbers: line by line the same."""
    hands = Callers(seed)
    await hands.begin()
    for _ in range(STEPS):
        await hands.step()
    recorded = await hands.router.recorded()
    projection = await Projection.take_over(session)
    await projection.apply(recorded)
    ask = Caller(answers_over(pool, handwritten, Positions(agreed=True)))
    now = hands.now()
    answer = await ask("missed", since=now - DAYS, until=now + DAYS)
    lines = account_of(each.event for each in recorded).contacts(now - DAYS, now + DAYS)
    in_order = sorted(lines, key=lambda each: (each.lost, each.contact_id))
    assert answer["contacts"] == msgspec.to_builtins(in_order)
    counts = answer["counts"]
    assert counts["lost"] == len(lines) > 3
    fates = ("reached", "answered", "closed", "open", "unreachable", "unaccounted")
    assert sum(counts[each] for each in fates) == counts["lost"]
    assert counts["unaccounted"] == 0
    assert counts["unreachable"] > 0


async def test_a_loss_that_nobody_owes_anything_for_is_unaccounted(
    ask: Caller, handwritten: HandwrittenLedger, projection: Projection, pool: Pool
) -> None:
    """The control: its call was never asked for. It is named, page by page, beside the one that is owed."""
    lost = {"contact_id": "call3", "callback_id": "never", "queue": "hotline"}
    event = handwritten.event(
        f"conv-{MISSED}", "contact.abandoned", lost, conversation=MISSED, customer=CUSTOMER
    )
    written = await handwritten.write(f"conv-{MISSED}", event)
    await projection.apply((await handwritten.all())[-len(written.sequences) :])
    day: dict[str, Any] = {"since": BEGIN, "until": BEGIN + DAYS}
    first = await ask("missed", **day, limit=1)
    second = await ask("missed", **day, limit=1, after=first["next"])
    found = [*first["contacts"], *second["contacts"]]
    assert [(each["contact_id"], each["fate"]) for each in found] == [
        ("call2", "open"),
        ("call3", "unaccounted"),
    ]
    assert (first["count"], second["next"]) == (2, None)
    only = await ask("missed", **day, fate="unaccounted")
    assert (only["count"], only["counts"]["lost"], only["counts"]["recovery"]) == (1, 2, 0.0)
    assert (await ask("missed", **day, queue="warehouse"))["count"] == 0
    past = datetime(2020, 1, 1, tzinfo=UTC)
    assert (await ask("missed", since=past, until=past + DAYS))["contacts"] == []
