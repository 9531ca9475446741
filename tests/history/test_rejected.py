"""What is no event of ours, and what cannot be applied: it halts the projection until an operator rejects it."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from functools import partial

import pytest

from services.history import project as projecting_rows
from services.history.project import Changes, States
from shared.ledger import Recorded
from shared.ledger.plan import MESSAGE_ID, Outgoing
from tests.history.handwritten_ledger import HandwrittenLedger
from tests.history.parcel_story import ParcelStory
from tests.history.projecting import digests_agree, projecting
from tests.support.memory_ledger import MemoryLedger
from tests.support.waiting import eventually


async def rejects(handwritten: HandwrittenLedger, sequence: int, body: bytes) -> None:
    """An operator rejects an entry of the ledger."""
    aggregate = f"entry-{sequence}"
    sha256 = hashlib.sha256(body).hexdigest()
    about = {"sequence": sequence, "sha256": sha256, "reason": "a test"}
    event = handwritten.event(aggregate, "entry.rejected", about)
    await handwritten.write(aggregate, event)


async def test_a_foreign_entry_halts_it_until_it_is_rejected(
    dsn: str, handwritten: HandwrittenLedger
) -> None:
    """It says which entry it is; rejected, the entry changes no row, stays in the digest, and all goes on."""
    parcel = ParcelStory(handwritten)
    await parcel.register()
    before = await handwritten.ledger.position()
    plant(handwritten, b"foreign")
    await parcel.call()
    async with projecting(dsn, handwritten.ledger) as running:
        await running.until(before)
        await eventually(partial(running.sign.told, "payload.not_an_event"))
        assert f"sequence={before + 1}" in running.sign.reasons[-1]
        assert hashlib.sha256(b"foreign").hexdigest() in running.sign.reasons[-1]
        await rejects(handwritten, before + 1, b"foreign")
        await running.until(await handwritten.ledger.position())
        assert running.sign.shown
    await digests_agree(dsn, handwritten)


async def test_an_event_that_cannot_be_applied_halts_it_until_it_is_rejected(
    dsn: str, parcel: ParcelStory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands before it in the same batch is written; the event is named, and passed over when it is rejected."""
    break_on(monkeypatch, "promise.made")
    every = await parcel.handwritten.all()
    (broken,) = [each for each in every if each.event.type == "promise.made"]
    async with projecting(dsn, parcel.handwritten.ledger, batch_max=100) as running:
        await running.until(broken.sequence - 1)
        await eventually(partial(running.sign.told, "event.not_applied"))
        assert f"sequence={broken.sequence}" in running.sign.reasons[-1]
        await rejects(parcel.handwritten, broken.sequence, broken.body)
        await running.until(await parcel.handwritten.ledger.position())
    await digests_agree(dsn, parcel.handwritten)
    async with projecting(dsn, parcel.handwritten.ledger) as again:
        await again.until(await parcel.handwritten.ledger.position())
        assert again.sign.said == [True]


def plant(handwritten: HandwrittenLedger, body: bytes) -> None:
    """Somebody else writes a message to the ledger."""
    ledger = handwritten.ledger
    assert isinstance(ledger, MemoryLedger)
    subject = "ledger.0.nobody.conv.none"
    ledger._store(Outgoing("conv-none", subject, body, {MESSAGE_ID: "foreign"}))  # noqa: SLF001  nobody's client


def break_on(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """The projection fails for no known reason at events of a type."""
    project = projecting_rows.project

    def breaks(batch: Sequence[Recorded], states: States, settled: datetime) -> Changes:
        if any(each.event.type == kind for each in batch):
            raise KeyError(kind)
        return project(batch, states, settled)

    monkeypatch.setattr("services.history.projection.project", breaks)
