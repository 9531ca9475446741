"""The balance on the command line, page by page, and what is refused."""

import argparse
import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from deploy.cli import balance as cli_balance
from services.ingest.handlers import balance
from shared import streams, subjects
from shared.queries import QUERIES, AskAttachment, AskBalance
from tests.ingest.history_twin import HistoryTwin
from tests.ingest.running_ingest import RunningIngest
from tests.ingest.test_balance import (
    CALL,
    JSON,
    ask,
    send_one_of_each,
)


async def told(
    ingest: RunningIngest, capsys: pytest.CaptureFixture[str], *, prove: bool
) -> tuple[int, dict[str, Any], str]:
    """Return what `tellonce balance` ends with and prints, on standard output and on standard error."""
    capsys.readouterr()
    chosen = argparse.Namespace(tenant=ingest.tenant, prove=prove, data=None)
    code = await asyncio.to_thread(cli_balance.balance, chosen)
    out, err = capsys.readouterr()
    return code, json.loads(out.splitlines()[-1]), err


async def test_the_command_line_proves_what_was_counted(
    ingest: RunningIngest,
    history: HistoryTwin,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """RAW is parsed again piece by piece, with progress; a tally that says otherwise is found and ends with 1."""
    monkeypatch.setenv("TELLONCE_NATS_URL", ingest.settings.nats_url)
    monkeypatch.setenv("TELLONCE_DATA", str(tmp_path / "none"))
    monkeypatch.setattr(balance, "POSITIONS_MAX", 4)
    await send_one_of_each(ingest)
    code, counted, _ = await told(ingest, capsys, prove=False)
    assert (code, counted["received"]) == (0, 10)
    code, found, err = await told(ingest, capsys, prove=True)
    assert (code, found["differs"]) == (0, {})
    assert found["proved"] == found["counted"]
    assert found["proved"]["received"] == 10
    assert err.count("parsed up to position") >= 3

    subject = subjects.balance(ingest.tenant, "form", ingest.account)
    kept = await ingest.bus.leader_get(streams.BALANCE, last_by_subject=subject)
    assert kept is not None
    tally = msgspec.json.decode(kept.body)
    tally["fates"]["accepted"] += 1
    await ingest.bus.store(subject, msgspec.json.encode(tally))
    code, found, _ = await told(ingest, capsys, prove=True)
    assert (code, list(found["differs"])) == (1, [f"form/{ingest.account}"])


async def test_more_than_one_page_is_counted(ingest: RunningIngest, history: HistoryTwin) -> None:
    """A hundred and fifty deliveries, a third of them repeats."""
    bodies = [b'{"submission_id":"f-%d"}' % (number % 100) for number in range(150)]
    await asyncio.gather(
        *(ingest.send("form", body, webhook_id=f"w{n}", **JSON) for n, body in enumerate(bodies))
    )
    await ingest.normalised("form")
    answer = await ask(ingest)
    assert (answer["received"], answer["accepted"], answer["duplicate"]) == (150, 100, 50)
    assert len(history.asked) >= 3


async def test_an_answer_covers_a_bounded_range_and_says_how_far(
    ingest: RunningIngest, history: HistoryTwin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long range is asked for piece by piece, each beginning behind the `to` of the last."""
    await send_one_of_each(ingest)
    monkeypatch.setattr(balance, "POSITIONS_MAX", 4)
    counted, first = 0, (await ingest.raw("twilio_voice"))[0].sequence
    end = (await ingest.bus.api("STREAM.INFO.RAW"))["state"]["last_seq"]
    while first <= end:
        answer = await ask(ingest, **{"from": first})
        assert answer["to"] == min(first + 3, end)
        counted, first = counted + answer["received"], answer["to"] + 1
    assert counted == 10


async def test_without_history_the_balance_is_refused_and_the_doors_stay_open(
    ingest: RunningIngest,
) -> None:
    """The query says that it may be asked again; a delivery is taken meanwhile."""
    answer = await ingest.call({**CALL, "CallStatus": "ringing"})
    assert answer.status_code == 200
    refused = (await ask(ingest))["error"]
    assert (refused["code"], refused["retryable"]) == ("query.unavailable", True)


@pytest.mark.parametrize(
    ("tenant", "body", "code"),
    [
        (None, b"{", "command.unreadable"),
        (None, b'{"from":-1}', "command.unreadable"),
        (None, b'{"chanel":"email"}', "command.unreadable"),
        (None, b'{"from":"yesterday"}', "command.unreadable"),
        ("nobody", b"{}", "tenant.unknown"),
    ],
)
async def test_a_query_that_cannot_be_answered_is_refused(
    ingest: RunningIngest, tenant: str | None, body: bytes, code: str
) -> None:
    """An answer with its code, never silence."""
    subject = subjects.query(tenant or ingest.tenant, "balance")
    reply = msgspec.json.decode(await ingest.bus.request(subject, body))
    assert reply["error"]["code"] == code


def test_what_ingest_serves_is_the_balance() -> None:
    """A query that the contract gives to ingest and nobody here answers would be silence."""
    served = {kind for kind in QUERIES.values() if kind.served_by == "ingest"}
    assert served == {AskAttachment, AskBalance}
