"""`tellonce ledger`: a data folder of which an older ledger was put back, refused, looked at, adopted."""

import asyncio
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from deploy.cli.main import main
from deploy.embedded import state
from deploy.embedded.errors import ProgramExited
from deploy.embedded.stack import EmbeddedStack, Plan
from shared.bus import connect
from shared.codec import PlainCodec
from shared.ledger.jetstream import NatsLedger
from tests.support.ledger import TENANT, new_aggregate, write

HISTORY = {"history": (sys.executable, "-m", "services.history")}


def run_for(folder: Path, events: int, services: Mapping[str, Sequence[str]] = {}) -> None:
    """Run the servers, the bootstrap job and services; the ledger grows by so many events.

    History is ready, so its tables hold what stood before.
    """

    async def run() -> None:
        async with EmbeddedStack(Plan(folder=folder, services=services)) as stack:
            bus = await connect(stack.bus_address("router"), "test")
            ledger = NatsLedger(bus, PlainCodec())
            for _ in range(events):
                await ledger.append(TENANT, [write(new_aggregate(), 0, "a")])
            await bus.close()

    asyncio.run(run())


def test_an_older_ledger_is_refused_until_it_is_adopted(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was written after the backup was known when the stack stopped; the remedy that is named is the way on.

    Tables that were made of what is lost do not hold the adopted ledger up: history makes them anew.
    """
    stored, backup = data / "nats" / "jetstream", tmp_path / "backup"
    run_for(data, 3)
    shutil.copytree(stored, backup)
    run_for(data, 3)
    run_for(data, 0, HISTORY)
    assert json.loads((data / state.LEDGER_MARK).read_text("utf-8"))["position"] == 7
    shutil.rmtree(stored)
    shutil.copytree(backup, stored)
    with pytest.raises(ProgramExited) as refusal:
        run_for(data, 0)
    assert "ledger.contradicted" in refusal.value.how_to_mend
    assert "tellonce ledger adopt" in refusal.value.how_to_mend

    at = ["--data", str(data), "--json"]
    assert main(["ledger", "check", *at]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["position"], found["against"]) == (
        4,
        {"mark": "shorter", "projection": "shorter"},
    )
    assert main(["ledger", "adopt", *at, "--reason", "the backup of the night"]) == 0
    capsys.readouterr()
    assert main(["ledger", "check", *at]) == 0
    assert json.loads(capsys.readouterr().out)["identity"] == found["identity"]
    run_for(data, 1, HISTORY)
