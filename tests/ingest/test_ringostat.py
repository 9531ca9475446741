"""Calls of Ringostat: parameters that a shop names itself, moments in the address, entries of its list."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.channels import ringostat
from services.ingest.domain.delivery import BY_GET, RawDelivery, WebRequest
from services.ingest.domain.list_marks import ListMark
from services.ingest.domain.outcome import Ignored, Quarantined
from services.ingest.sources import SOURCES
from shared.errors import SignatureInvalid
from shared.policy import Account, CallField
from tests.ingest.facts import VALUES, disorder, facts, told_call
from tests.ingest.running_ingest import (
    GOLDEN,
    PUBLIC,
    RECEIVED,
    SECRET,
    Sample,
    form_body,
    parsed,
    raw,
    wire,
)

AFTER = (GOLDEN / "ringostat_after.json").read_bytes()
ENTRY = (GOLDEN / "ringostat_entry.json").read_bytes()
BEFORE = (GOLDEN / "ringostat_before.form").read_bytes()
CALL = "pl5_-1795339800.25187642"
CALLER = "+48600100200"
FORM = [("content-type", "application/x-www-form-urlencoded")]
DOOR = "/in/demo/ringostat/main"
MARK = ListMark("pl5_-1795339800.25187650", "2026-11-22T10:30:00+0100").url


def by_key(secret: str, body: bytes) -> dict[str, str]:
    """The header field that opens the door, whatever the body is."""
    return {"auth-key": secret}


SAMPLE = Sample(AFTER, by_key, signs_body=False)


def moment(said: str, **told: str) -> RawDelivery:
    """A webhook of a moment; its address says which."""
    body = form_body(**{"uniqueid": CALL, "caller": "48600100200", **told})
    return raw("ringostat", body, headers=FORM, path=f"{DOOR}?moment={said}")


def test_a_call_that_is_over_is_told_with_its_recording() -> None:
    """What is nested in the parameters is read like the others; two facts of one call."""
    ended, recorded, brought = parsed(raw("ringostat", AFTER))
    assert wire(ended)["data"] == told_call(
        "ringostat", CALL, CALLER, outcome="completed", duration_seconds=51
    )
    assert (ended.type, recorded.type) == ("call.ended", "call.recorded")
    assert (brought.type, brought.open.provider_id) == ("visit.summarised", f"{CALL}/visit")
    assert recorded.open.provider_id == f"{CALL}/recording"
    assert recorded.open.duration_seconds == 51
    (file,) = recorded.personal.files
    assert (file.media_type, file.source) == (
        "audio/wav",
        "https://app.ringostat.com/recordings/pl5_-1795339800.25187642.wav?token=0f1e",
    )


def test_a_call_that_rings_is_told_by_the_other_names_of_its_parameters() -> None:
    """Older webhooks call them otherwise; a name may stand with the number."""
    event, _ = parsed(raw("ringostat", BEFORE, headers=FORM))
    assert (event.type, event.open.provider_id) == ("call.started", CALL)
    assert event.open.dialled == "+48221234567"
    assert [each.value for each in event.personal.handles] == [f"ringostat/main/{CALL}", CALLER]
    assert event.personal.name == "Anna Nowak"


def test_what_brought_the_caller_is_told_with_her_call() -> None:
    """Campaign and first page; what says that there was none is none."""
    landing = {"utm_source": "google", "utm_medium": "cpc", "utm_term": "(not set)"}
    _, brought = parsed(moment("before", **landing, landing="shop.example/lockers"))
    assert brought.personal.campaign == [("source", "google"), ("medium", "cpc")]
    assert [each.url for each in brought.personal.pages] == ["shop.example/lockers"]
    assert brought.personal.handles[1].value == CALLER
    direct = {"utm_source": "(direct)", "utm_medium": "(none)", "landing": "shop.example/"}
    assert [each.type for each in parsed(moment("before", **direct))] == ["call.started"]


@pytest.mark.parametrize(
    ("said", "kind"),
    [("before", "call.started"), ("answer", "call.answered"), ("After", "call.ended")],
)
def test_the_address_says_at_which_moment_it_was_sent(said: str, kind: str) -> None:
    """No parameter of the provider does."""
    (event,) = parsed(moment(said, disposition="ANSWERED"))
    assert event.type == kind
    posted = form_body(uniqueid=CALL, moment=said, disposition="ANSWERED")
    assert [each.type for each in parsed(raw("ringostat", posted, headers=FORM))] == [kind]


def test_moments_that_tell_nothing_are_ignored_and_unknown_ones_kept() -> None:
    """A step of the forwarding is no transfer: nobody has spoken yet."""
    assert ringostat.parse(moment("forward")) == Ignored("forward")
    assert ringostat.parse(moment("rating")) == Ignored("rating")
    assert ringostat.parse(moment("later")) == Quarantined("payload.kind_unknown", "later")


@pytest.mark.parametrize(
    ("status", "kind", "how"),
    [
        ("ANSWERED", "call.ended", "completed"),
        ("Repeated", "call.ended", "completed"),
        ("NO ANSWER", "call.missed", "no-answer"),
        ("NO+ANSWER", "call.missed", "no-answer"),
        ("CLIENT_NO_ANSWER", "call.missed", "no-answer"),
        ("BUSY", "call.missed", "busy"),
        ("NO-FORWARD", "call.missed", "failed"),
        ("WRONG EXTENSION", "call.missed", "failed"),
        ("VOICEMAIL", "call.voicemail_left", "voicemail"),
    ],
)
def test_each_status_says_how_the_call_ended(status: str, kind: str, how: str) -> None:
    """However its words are joined."""
    (event,) = parsed(moment("after", disposition=status))
    assert (event.type, event.open.outcome) == (kind, how)


def test_what_was_spoken_on_the_machine_is_a_voicemail_with_its_file() -> None:
    """Not a recording of a call besides."""
    spoken = "https://app.ringostat.com/recordings/1.mp3"
    (event,) = parsed(moment("after", disposition="VOICEMAIL", recording=spoken))
    assert [each.media_type for each in event.personal.files] == ["audio/mpeg"]


def test_calls_of_the_shops_own_people_are_ignored_and_callbacks_are_customers() -> None:
    """Who asks on the page to be called comes by phone."""
    for direction in ("out", "OUT", "transitout"):
        assert ringostat.parse(moment("before", call_type=direction)) == Ignored(direction.lower())
    for direction in ("callback", "transitin", ""):
        (event,) = parsed(moment("before", call_type=direction))
        assert event.type == "call.started"
    unknown = Quarantined("payload.kind_unknown", "sideways")
    assert ringostat.parse(moment("before", call_type="sideways")) == unknown


def test_a_call_that_goes_on_ends_nothing_and_an_unknown_end_is_kept() -> None:
    """The list has those that are not over."""
    assert ringostat.parse(moment("after", disposition="IN PROGRESS")) == Ignored("in_progress")
    unknown = Quarantined("payload.kind_unknown", "moved_to_mars")
    assert ringostat.parse(moment("after", disposition="Moved to Mars")) == unknown


def test_an_entry_of_the_list_has_its_time_and_a_posted_one_has_none() -> None:
    """On our own connection the provider's word is its own; one call has one id, whichever way it came."""
    (asked,) = parsed(raw("ringostat", ENTRY, path=MARK))
    (posted,) = parsed(raw("ringostat", ENTRY, path=f"{DOOR}?moment=after"))
    assert asked.open.provider_time == datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
    assert posted.open.provider_time is None
    assert asked.id == posted.id
    assert asked.type == "call.missed", "has_recording is 0: the address leads nowhere"


@pytest.mark.parametrize(
    "began", ["2026-11-22 10:30:00", "yesterday", "", "9999-12-31T23:59:59+0000"]
)
def test_a_time_without_its_zone_is_none(began: str) -> None:
    """What the shop's clock says there is not known here."""
    body = json.dumps({**json.loads(ENTRY), "calldate": began, "billsec": 999_999}).encode()
    (event,) = parsed(raw("ringostat", body, path=MARK))
    assert event.open.provider_time is None


def test_a_shop_names_its_parameters_itself() -> None:
    """What the mapping names is read, and the usual name is not."""
    rules = Account(queue="hotline", mapping={"call": "nr", "caller": "who", "outcome": "jak"})
    body = form_body(nr="7", who="48600100200", caller="48999999999", jak="BUSY", uniqueid="8")
    delivery = replace(
        raw("ringostat", body, headers=FORM, path=f"{DOOR}?moment=after"), rules=rules
    )
    (event,) = parsed(delivery)
    assert (event.open.provider_id, event.open.outcome) == ("7", "busy")
    assert event.personal.handles[1].value == CALLER


def test_the_mapping_speaks_of_what_the_channel_reads() -> None:
    """No word of the policy is without effect."""
    assert set(ringostat.FIELDS) == set(get_args(CallField))


def accepted(url: str, headers: dict[str, str], secret: str = SECRET) -> bool:
    """Whether a request with this address and these fields is taken."""
    request = WebRequest("GET", url, list(headers.items()), b"", RECEIVED)
    try:
        ringostat.verify(request, {"signing": secret}, PUBLIC)
    except SignatureInvalid:
        return False
    return True


def basic(pair: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def test_the_secret_stands_in_the_address_or_in_a_header() -> None:
    """As a parameter, as a password, as `Auth-Key`; and nowhere else."""
    assert accepted(f"{DOOR}?moment=before&token={SECRET}", {})
    assert accepted(DOOR, basic(f"tellonce:{SECRET}"))
    assert accepted(DOOR, {"auth-key": SECRET})
    for wrong in (basic(SECRET), basic("a:b"), {"authorization": "Basic =="}, {"auth-key": ""}):
        assert not accepted(DOOR, wrong)
    assert not accepted(f"{DOOR}?token=x&token={SECRET}", {})


def test_a_webhook_by_get_is_one() -> None:
    """The shop chooses the method; its query is the body."""
    assert ringostat.handshake(WebRequest("GET", DOOR, [], b"", RECEIVED), {}) is BY_GET
    body = f"moment=after&uniqueid={CALL}&disposition=BUSY".encode()
    (event,) = parsed(raw("ringostat", body, path=f"{DOOR}?{body.decode()}"))
    assert event.open.outcome == "busy"


@pytest.mark.parametrize("body", [b"{}", b'{"caller":"48600100200"}', b"a=b"])
def test_what_names_no_call_is_no_event(body: bytes) -> None:
    """It can be read, and is nothing that the provider sends."""
    assert ringostat.parse(raw("ringostat", body)) == Quarantined("payload.not_an_event")


@pytest.mark.parametrize("body", [b"", b"{", b'{"uniqueid":"a b"}', b"[1]"])
def test_what_cannot_be_read_is_kept(body: bytes) -> None:
    """A person looks at it."""
    assert ringostat.parse(raw("ringostat", body)) == Quarantined("payload.unreadable")


@pytest.mark.parametrize("caller", ["", "anonymous", "sip_account", "unknown"])
def test_who_withholds_her_number_is_known_by_the_call_alone(caller: str) -> None:
    """The call is still one contact."""
    (event,) = parsed(moment("before", caller=caller))
    assert [each.kind for each in event.personal.handles] == ["reference"]


def test_its_recordings_are_fetched_from_its_own_hosts() -> None:
    """The address opens itself."""
    source = SOURCES["ringostat"]
    assert "app.ringostat.com" in source.HOSTS


DELIVERIES = [
    json.dumps({"uniqueid": call, "caller": "48600100200", "moment": said, **told}).encode()
    for call in ("a", "b")
    for said, told in (
        ("before", {"dst": "48221234567", "utm_source": "google"}),
        ("answer", {}),
        ("after", {"disposition": "ANSWERED", "billsec": 5, "utm_source": "google", "recording": "https://app.ringostat.com/recordings/a.wav"}),
    )
]  # fmt: skip


@given(bodies=disorder(DELIVERIES))
def test_any_order_and_repetition_tells_the_same_facts(bodies: list[bytes]) -> None:
    """Two calls of one customer stay two."""
    assert facts("ringostat", bodies) == facts("ringostat", DELIVERIES)


@given(
    name=st.sampled_from([each for names in ringostat.FIELDS.values() for each in names]),
    value=VALUES,
)
def test_a_parameter_of_another_kind_costs_nothing(name: str, value: Any) -> None:
    """Whatever stands where a text is documented."""
    body = json.dumps({"uniqueid": "a", "disposition": "BUSY", name: value}).encode()
    facts("ringostat", [body])
