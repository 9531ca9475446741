"""The balance: received = the sum of all fates, from RAW and history alone, and nothing is missing (I12)."""

import asyncio
from typing import Any

import msgspec
import pytest

from services.ingest.handlers import balance
from services.ingest.handlers.accounts import Accounts
from services.ingest.handlers.body_store import BodyStore
from services.ingest.handlers.tallies import Tallies
from shared import metrics, policy, subjects, tasks
from shared.policies import Policies
from shared.queries import AskBalance
from tests.ingest.history_twin import HistoryTwin
from tests.ingest.running_ingest import RunningIngest, visit_reader
from tests.support.waiting import eventually

JSON = {"content-type": "application/json"}
CALL = {"CallSid": "CA1", "From": "+48601234567", "Direction": "inbound"}
NOTHING = {
    "received": 0,
    "accepted": 0,
    "duplicate": 0,
    "ignored": 0,
    "quarantined": 0,
    "parked": 0,
    "skipped": 0,
    "missing": 0,
}


async def ask(ingest: RunningIngest, **query: Any) -> dict[str, Any]:
    reply = await ingest.bus.request(
        subjects.query(ingest.tenant, "balance"), msgspec.json.encode(query)
    )
    answer: dict[str, Any] = msgspec.json.decode(reply)
    return answer


async def send_one_of_each(ingest: RunningIngest) -> None:
    """A call with two repeats, one ignored and one unknown webhook, a form twice, a broken mail twice."""
    for status in ("ringing", "ringing", "in-progress", "in-progress", "initiated", "levitating"):
        await ingest.call({**CALL, "CallStatus": status})
    for number in range(2):
        await ingest.send("form", b'{"submission_id":"f"}', webhook_id=f"w{number}", **JSON)
        await ingest.send("email", b"\0\xff", webhook_id=f"w{number}")
    for channel in ("twilio_voice", "form", "email"):
        await ingest.normalised(channel)


async def test_every_delivery_is_accounted_for(ingest: RunningIngest, history: HistoryTwin) -> None:
    """Per account and in sum, as they were counted and as RAW parsed again says."""
    await send_one_of_each(ingest)
    answer = await ask(ingest)
    end = (await ingest.bus.api("STREAM.INFO.RAW"))["state"]["last_seq"]
    assert {account.pop("to") for account in answer["accounts"].values()} == {end}
    assert answer["accounts"][f"twilio_voice/{ingest.account}"] == {
        **NOTHING,
        "received": 6,
        "accepted": 2,
        "duplicate": 2,
        "ignored": 1,
        "quarantined": 1,
    }
    assert answer["accounts"][f"form/{ingest.account}"] == {
        **NOTHING,
        "received": 2,
        "accepted": 1,
        "duplicate": 1,
    }
    assert answer["accounts"][f"email/{ingest.account}"] == {
        **NOTHING,
        "received": 2,
        "quarantined": 1,
        "duplicate": 1,
    }
    assert answer["accounts"][f"chat/{ingest.account}"] == NOTHING
    counted = {name: answer[name] for name in NOTHING}
    assert counted == {
        **NOTHING,
        "received": 10,
        "accepted": 3,
        "duplicate": 4,
        "ignored": 1,
        "quarantined": 2,
    }
    proved = await ask(ingest, **{"from": 0})
    assert {name: proved[name] for name in NOTHING} == counted
    assert proved["position"] == history.asked[-1]["min_seq"] + 5
    assert (answer["to"], answer["end"]) == (end, end)


async def test_a_proof_ends_where_its_time_does_and_the_next_goes_on_behind(
    ingest: RunningIngest, history: HistoryTwin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large bodies take long to parse: the pieces come to the whole, of all accounts alike."""
    before = (await ingest.bus.api("STREAM.INFO.RAW"))["state"]["last_seq"]
    await send_one_of_each(ingest)
    whole = await ask(ingest, **{"from": before + 1})
    monkeypatch.setattr("services.ingest.handlers.balance.PROVING_SECONDS", 0.0)
    pieces: list[dict[str, Any]] = []
    while not pieces or pieces[-1]["to"] < whole["end"]:
        first = pieces[-1]["to"] + 1 if pieces else before + 1
        pieces.append(await ask(ingest, **{"from": first}))
    assert len(pieces) > 1
    assert [sum(each[name] for each in pieces) for name in NOTHING] == [
        whole[name] for name in NOTHING
    ]


async def test_a_position_that_the_ledger_does_not_hold_is_refused_at_once(
    ingest: RunningIngest, history: HistoryTwin
) -> None:
    """History is not even asked: it could not answer either."""
    await send_one_of_each(ingest)
    assert (await ask(ingest, min_seq=10**9))["error"]["code"] == "query.position_beyond_end"
    assert all(each["min_seq"] < 10**9 for each in history.asked)


async def test_what_history_does_not_know_is_missing(
    ingest: RunningIngest, history: HistoryTwin
) -> None:
    """A loss behind ingest shows: the sum still is what was received."""
    await send_one_of_each(ingest)
    event = (await ingest.contacts("form", 1))[0]
    history.forgets.add(event["id"])
    answer = await ask(ingest, channel="form", **{"from": 0})
    assert {name: answer[name] for name in NOTHING} == {**NOTHING, "received": 2, "missing": 2}


async def test_what_is_parked_is_accounted_for_until_it_is_decided_or_given_up(
    ingest: RunningIngest, history: HistoryTwin
) -> None:
    """It is not lost: an operator has it before her. The tally looks at it again; RAW parsed again says the same."""
    await send_one_of_each(ingest)
    event = (await ingest.contacts("form", 1))[0]

    async def counts() -> dict[str, int]:
        kept, proved = (
            await ask(ingest, channel="form"),
            await ask(ingest, channel="form", **{"from": 0}),
        )
        found = {name: number for name, number in kept.items() if name in NOTHING and number}
        assert found == {name: proved[name] for name in NOTHING if proved[name]}
        return found

    history.aside[event["id"]] = "parked"
    assert await counts() == {"received": 2, "parked": 1, "duplicate": 1}
    history.aside[event["id"]] = "skipped"
    assert await counts() == {"received": 2, "skipped": 1, "duplicate": 1}


async def test_a_parked_delivery_that_is_decided_is_accepted(
    ingest: RunningIngest, history: HistoryTwin
) -> None:
    """It counts once, as what became of it in the end."""
    await send_one_of_each(ingest)
    event = (await ingest.contacts("form", 1))[0]
    history.aside[event["id"]] = "parked"
    assert (await ask(ingest, channel="form"))["parked"] == 1
    history.aside.clear()
    answer = await ask(ingest, channel="form")
    wanted = {**NOTHING, "received": 2, "accepted": 1, "duplicate": 1}
    assert {name: answer[name] for name in NOTHING} == wanted


async def test_a_range_is_counted_by_positions_of_raw(
    ingest: RunningIngest, history: HistoryTwin
) -> None:
    """Both ends are included; a repeat whose first delivery is outside is still a duplicate."""
    await send_one_of_each(ingest)
    sequences = [each.sequence for each in await ingest.raw("twilio_voice")]
    query = {"channel": "twilio_voice", "account": ingest.account}
    answer = await ask(ingest, **query, **{"from": sequences[1], "to": sequences[3]})
    assert {name: answer[name] for name in NOTHING} == {
        **NOTHING,
        "received": 3,
        "accepted": 1,
        "duplicate": 2,
    }
    assert answer["to"] == sequences[3]
    assert list(answer["accounts"]) == [f"twilio_voice/{ingest.account}"]
    assert (await ask(ingest, account="nobody"))["received"] == 0


# -- what is kept -----------------------------------------------------------------------------------------


async def test_what_was_counted_is_not_read_again(
    ingest: RunningIngest, history: HistoryTwin
) -> None:
    """The tally outlives the process that counted: nothing is asked of history for it."""
    await send_one_of_each(ingest)
    first = await ask(ingest)
    asked = len(history.asked)
    again = await another(ingest).balance(ingest.tenant, AskBalance())
    assert (again.received, again.accepted, again.last) == (10, first["accepted"], first["to"])
    assert len(history.asked) == asked


async def test_what_is_decided_late_is_missing_until_then(
    ingest: RunningIngest, history: HistoryTwin
) -> None:
    """It is looked at again; nothing is counted twice."""
    history.forgets_all = True
    await ingest.send("form", b'{"submission_id":"f"}', webhook_id="w0", **JSON)
    await ingest.send("form", b'{"submission_id":"f"}', webhook_id="w1", **JSON)
    await ingest.normalised("form")
    answer = await ask(ingest, channel="form")
    assert {name: answer[name] for name in NOTHING} == {**NOTHING, "received": 2, "missing": 2}
    history.forgets_all = False
    answer = await ask(ingest, channel="form")
    wanted = {**NOTHING, "received": 2, "accepted": 1, "duplicate": 1}
    assert {name: answer[name] for name in NOTHING} == wanted


async def test_several_who_count_at_once_count_once(
    ingest: RunningIngest, history: HistoryTwin
) -> None:
    """The tally is replaced where it was read: of several processes one is first, and the others begin again."""
    await send_one_of_each(ingest)
    handlers = [another(ingest) for _ in range(4)]
    answers = await asyncio.gather(
        *(each.balance(ingest.tenant, AskBalance()) for each in handlers)
    )
    assert {(each.received, each.accepted, each.duplicate) for each in answers} == {(10, 3, 4)}


@pytest.mark.parametrize("body", [b"{", b'{"raw":"another","position":3,"fates":{"accepted":9}}'])
async def test_a_tally_of_another_raw_is_counted_anew(
    ingest: RunningIngest, history: HistoryTwin, body: bytes
) -> None:
    """So is what is no tally at all."""
    await send_one_of_each(ingest)
    await ask(ingest)
    await ingest.bus.store(subjects.balance(ingest.tenant, "form", ingest.account), body)
    assert (await ask(ingest))["received"] == 10


async def test_an_account_that_left_the_policy_is_still_accounted_for(
    ingest: RunningIngest, history: HistoryTwin
) -> None:
    """What was received there does not disappear with it."""
    await send_one_of_each(ingest)
    smaller = policy.load(ingest.settings.policy)
    del smaller.accounts[f"form/{ingest.account}"]
    handler = another(ingest, smaller)
    for question in (AskBalance(), AskBalance(first=0)):
        answer = await handler.balance(ingest.tenant, question)
        assert (answer.received, answer.missing) == (10, 0)
        assert answer.accounts[f"form/{ingest.account}"].received == 2


async def test_of_an_account_that_nobody_counts_any_more_no_number_is_shown(
    ingest: RunningIngest, history: HistoryTwin
) -> None:
    """What was missing when it left would have people woken until the process ends."""
    chosen = policy.load(ingest.settings.policy)
    chosen.accounts["form/left"] = chosen.accounts[f"form/{ingest.account}"]
    doors = Accounts(Policies(chosen), {}).all()
    (door,) = [each for each in doors if each.name == "form/left"]

    async def shown() -> bool:
        return b'account="form/left"' in metrics.exposition()

    tallies = Tallies(ingest.bus, BodyStore(ingest.bus), visit_reader(ingest.bus))
    counting = asyncio.create_task(tallies.keep(door, asyncio.Event()))
    await eventually(shown)
    await tasks.end([counting])
    assert not await shown()


def another(ingest: RunningIngest, chosen: policy.Policy | None = None) -> balance.BalanceHandler:
    """Return what answers in another process of ingest."""
    policies = Policies(chosen or policy.load(ingest.settings.policy))
    bodies = BodyStore(ingest.bus)
    return balance.BalanceHandler(
        ingest.bus, Accounts(policies, {}), Tallies(ingest.bus, bodies, visit_reader(ingest.bus))
    )
