"""The balance: received = accepted + duplicate + ignored + quarantined, from RAW and history alone (I12)."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from services.ingest.domain.fates import Fate, counted, fate_of
from services.ingest.handlers import balance
from shared import streams, subjects
from shared.bus.deliveries import Message
from shared.queries import QUERIES, AskBalance, Counts
from tests.ingest.running_ingest import RunningIngest, stored

JSON = {"content-type": "application/json"}
CALL = {"CallSid": "CA1", "From": "+48601234567", "Direction": "inbound"}
NOTHING = {
    "received": 0,
    "accepted": 0,
    "duplicate": 0,
    "ignored": 0,
    "quarantined": 0,
    "missing": 0,
}


class HistoryTwin:
    """Answers `known` as history does once the router has recorded CONTACTS: the first event of an id counts.

    `forgets`: ids that it does not know; `asked`: the requests it got.
    """

    def __init__(self, ingest: RunningIngest) -> None:
        self._ingest = ingest
        self.forgets: set[str] = set()
        self.asked: list[dict[str, Any]] = []

    async def answer(self, message: Message) -> None:
        request = msgspec.json.decode(message.body)
        self.asked.append(request)
        known: dict[str, Any] = {}
        subject = f"contact.*.{self._ingest.tenant}.>"
        for each in await stored(self._ingest.bus, streams.CONTACTS, subject):
            event = msgspec.json.decode(each.body)
            known.setdefault(event["id"], {"sequence": each.sequence, "raw": event["rawref"]})
        wanted = set(request["ids"]) - self.forgets
        found = {name: value for name, value in known.items() if name in wanted}
        reply = {"position": request["min_seq"] + 5, "known": found}
        await message.respond(msgspec.json.encode(reply))


@pytest.fixture
async def history(ingest: RunningIngest) -> AsyncIterator[HistoryTwin]:
    """History, as far as the balance asks it."""
    twin = HistoryTwin(ingest)
    subscription = await ingest.bus.subscribe(subjects.query(ingest.tenant, "known"), twin.answer)
    await ingest.bus.flush()
    yield twin
    await subscription.stop()


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
        await ingest.send("email", b"\xff", webhook_id=f"w{number}")
    for channel in ("twilio_voice", "form", "email"):
        await ingest.normalised(channel)


async def test_every_delivery_is_accounted_for(ingest: RunningIngest, history: HistoryTwin) -> None:
    """Per account and in sum; the position is the one that history answered from."""
    await send_one_of_each(ingest)
    answer = await ask(ingest)
    assert answer["accounts"][f"twilio_voice/{ingest.account}"] == {
        "received": 6,
        "accepted": 2,
        "duplicate": 2,
        "ignored": 1,
        "quarantined": 1,
        "missing": 0,
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
        "received": 10,
        "accepted": 3,
        "duplicate": 4,
        "ignored": 1,
        "quarantined": 2,
        "missing": 0,
    }
    assert answer["position"] == history.asked[0]["min_seq"] + 5
    assert answer["to"] == (await ingest.bus.api("STREAM.INFO.RAW"))["state"]["last_seq"]


async def test_a_position_that_the_ledger_does_not_hold_is_refused_at_once(
    ingest: RunningIngest, history: HistoryTwin
) -> None:
    """History is not even asked: it could not answer either."""
    await send_one_of_each(ingest)
    assert (await ask(ingest, min_seq=10**9))["error"]["code"] == "query.position_beyond_end"
    assert history.asked == []


async def test_what_history_does_not_know_is_missing(
    ingest: RunningIngest, history: HistoryTwin
) -> None:
    """A loss behind ingest shows: the sum still is what was received."""
    await send_one_of_each(ingest)
    event = (await ingest.contacts("form", 1))[0]
    history.forgets.add(event["id"])
    answer = await ask(ingest, channel="form")
    assert {name: answer[name] for name in NOTHING} == {**NOTHING, "received": 2, "missing": 2}


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


# -- the rule itself --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ids", "first_seen", "quarantined", "fate"),
    [
        ([], {}, False, "ignored"),
        (["a"], {}, False, "missing"),
        (["a"], {"a": 7}, False, "accepted"),
        (["a"], {"a": 7}, True, "quarantined"),
        (["a"], {"a": 3}, False, "duplicate"),
        (["a"], {"a": 3}, True, "duplicate"),
        (["a", "b"], {"a": 3, "b": 7}, False, "accepted"),
        (["a", "b"], {"a": 3, "b": 5}, False, "duplicate"),
        (["a", "b"], {"a": 7}, False, "missing"),
    ],
)
def test_the_fate_of_a_delivery(
    ids: list[str], first_seen: dict[str, int], quarantined: bool, fate: Fate
) -> None:
    """What became of the delivery at position 7."""
    assert fate_of(7, ids, first_seen, quarantined=quarantined) == fate


def test_counts_add_up() -> None:
    """Whatever is counted is received."""
    fates: Counter[Fate] = Counter(["accepted", "accepted", "duplicate", "ignored", "missing"])
    assert Counts(**counted(fates + fates)) == Counts(
        received=10, accepted=4, duplicate=2, ignored=2, missing=2
    )


def test_what_ingest_serves_is_the_balance() -> None:
    """A query that the contract gives to ingest and nobody here answers would be silence."""
    served = {kind for kind in QUERIES.values() if kind.served_by == "ingest"}
    assert served == {AskBalance}
