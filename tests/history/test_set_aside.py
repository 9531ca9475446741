"""What was parked, or could not be read, is overlooked until it is dealt with, and is not lost."""

from typing import Any

from services.history.pool import Pool
from services.history.positions import Positions
from services.history.projection import Projection
from services.history.store import Session
from tests.history.caller import Caller, answers_over
from tests.history.handwritten_ledger import HandwrittenLedger
from tests.history.parcel_story import ParcelStory


async def test_what_is_parked_is_overlooked_until_it_is_done_or_given_up(
    pool: Pool, session: Session, handwritten: HandwrittenLedger
) -> None:
    """It counts, and the query `parked` says where it stands and how it failed."""
    parcel = ParcelStory(handwritten)
    await parcel.park_a_call()
    projection = await Projection.take_over(session)
    await projection.apply(await handwritten.all())
    ask = Caller(answers_over(pool, handwritten, Positions(agreed=True)))
    overlooked, parked = await ask("overlooked"), await ask("parked")
    assert (overlooked["count"], overlooked["parked"], overlooked["requests"]) == (1, 1, [])
    (line,) = parked["parked"]
    assert (line["parked_id"], line["position"]) == ("chan-twilio_voice-hotline:9", 9)
    assert (line["type"], line["error"], line["failures"]) == ("call.started", "KeyError", 4)
    retried = {"parked_id": line["parked_id"], "stream": "CONTACTS", "sequence": 9, "sha256": ""}
    await parcel.note_on("chan-twilio_voice-hotline", "contact.retried", retried)
    await projection.apply((await handwritten.all())[projection.position :])
    assert (await ask("overlooked"))["count"] == 0
    assert (await ask("parked"))["parked"] == []


async def test_what_could_not_be_read_is_overlooked_until_somebody_looked_at_it(
    pool: Pool, session: Session, handwritten: HandwrittenLedger
) -> None:
    """A form, a mail or a call's end that nobody can read was somebody's: it counts, and RAW has it."""
    parcel, account = ParcelStory(handwritten), "chan-form-contact"
    quarantined = {"channel": "form", "account": "contact", "code": "payload.unreadable"}
    sequence = await parcel.note_on(
        account, "payload.quarantined", quarantined, raw="7:" + "a" * 64
    )
    projection = await Projection.take_over(session)
    await projection.apply(await handwritten.all())
    ask = Caller(answers_over(pool, handwritten, Positions(agreed=True)))
    assert (await ask("overlooked"))["count"] == 1
    (line,) = (await ask("parked"))["parked"]
    assert (line["parked_id"], line["type"]) == (
        f"{account}:unread-{sequence}",
        "payload.quarantined",
    )
    assert (line["stream"], line["position"], line["error"]) == ("RAW", 7, "payload.unreadable")
    skipped = {"parked_id": line["parked_id"], "reason": "she was called back"}
    await parcel.note_on(account, "contact.skipped", skipped)
    await projection.apply((await handwritten.all())[projection.position :])
    assert (await ask("overlooked"))["count"] == 0
    assert (await ask("parked"))["parked"] == []


async def test_what_was_set_aside_is_no_fact_and_not_lost_either(
    pool: Pool, session: Session, handwritten: HandwrittenLedger
) -> None:
    """The balance asks: parked or given up it is known as such, and retried it is told of by its fact alone."""
    parcel = ParcelStory(handwritten)
    await parcel.park_a_call()
    projection = await Projection.take_over(session)
    ask = Caller(answers_over(pool, handwritten, Positions(agreed=True)))

    async def set_aside() -> Any:
        await projection.apply((await handwritten.all())[projection.position :])
        answer = await ask("known", ids=["lost", "never"])
        assert answer["known"] == {}
        return answer["set_aside"]

    account, place = (
        "chan-twilio_voice-hotline",
        {"stream": "CONTACTS", "sequence": 9, "sha256": ""},
    )
    parked = {"parked_id": f"{account}:9"}
    assert await set_aside() == {"lost": {"state": "parked", "raw": None}}
    await parcel.note_on(account, "contact.skipped", {**parked, "reason": "spam"})
    assert await set_aside() == {"lost": {"state": "skipped", "raw": None}}
    await parcel.note_on(account, "contact.retried", {**parked, **place})
    assert await set_aside() == {}
