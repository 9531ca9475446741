"""What visitors do on a shop's pages, by the Segment specification."""

import base64
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.channels import site
from services.ingest.domain.delivery import WebRequest
from services.ingest.domain.outcome import Ignored, Quarantined
from shared.errors import SignatureInvalid
from tests.ingest.running_ingest import GOLDEN, PUBLIC, RECEIVED, SECRET, Sample, parsed, raw, wire

BATCH = (GOLDEN / "site_batch.json").read_bytes()
EXAMPLES = (GOLDEN / "site_examples.json").read_bytes()
PAGE = b'{"type":"page","messageId":"m-1","anonymousId":"v-1","properties":{"url":"https://shop.example"}}'


def by_key(secret: str, body: bytes) -> dict[str, str]:
    """The header field that a server's library sends."""
    return {"authorization": "Basic " + base64.b64encode(f"{secret}:".encode()).decode()}


SAMPLE = Sample(PAGE, by_key, [("content-type", "application/json")], signs_body=False)


def test_each_item_of_a_batch_is_a_fact() -> None:
    """Pages, cart, campaign and words; who she is by her own page's word alone."""
    page, known, cart, review, alias = (wire(event)["data"] for event in parsed(raw("site", BATCH)))
    assert page["open"]["provider_id"] == "ajs-1"
    assert page["open"]["provider_time"] == "2026-11-22T09:29:29.500000Z"
    assert page["personal"] == {
        "handles": [{"kind": "visitor", "value": "v-1", "verified": False, "proof": "claimed"}],
        "name": None,
        "did": [],
        "pages": [{"url": "https://shop.example/lamps", "title": "Lamps"}],
        "cart": [],
        "cart_is": None,
        "campaign": [["name", "autumn"], ["source", "newsletter"]],
        "text": "",
    }
    assert known["personal"]["name"] == "Anna Nowak"
    assert [(each["kind"], each["value"]) for each in known["personal"]["handles"]] == [
        ("email", "anna@mail.example"),
        ("phone", "+48600100200"),
        ("account", "site:77"),
        ("visitor", "v-1"),
    ]
    assert {each["proof"] for each in known["personal"]["handles"]} == {"claimed"}
    assert (cart["personal"]["did"], cart["personal"]["cart"]) == (
        ["Cart Viewed"],
        ["Floor lamp", "Bulb E27"],
    )
    assert (review["personal"]["did"], review["personal"]["text"]) == (
        ["Product Reviewed: Floor lamp"],
        "It hums.",
    )
    assert [(each["kind"], each["value"]) for each in alias["personal"]["handles"]] == [
        ("account", "site:77"),
        ("visitor", "v-1"),
    ]
    contacts = {each["open"]["contact_id"] for each in (page, known, cart, review, alias)}
    assert len(contacts) == 1


@pytest.mark.parametrize(
    ("times", "minute"),
    [
        ({"timestamp": "2026-11-22T09:20:00Z"}, "2026-11-22T09:20"),
        (
            {"timestamp": "2031-01-01T00:00:00Z", "sentAt": "2031-01-01T00:01:00Z"},
            "2026-11-22T09:29",
        ),
        (
            {"timestamp": "2031-01-01T00:01:00Z", "sentAt": "2031-01-01T00:00:00Z"},
            "2026-11-22T09:30",
        ),
        (
            {
                "originalTimestamp": "2031-01-01T00:00:00Z",
                "sentAt": "2031-01-01T00:01:00Z",
                "timestamp": "2026-11-20T08:00:00Z",
            },
            "2026-11-20T08:00",
        ),
        (
            {
                "sentAt": "2026-11-20T08:01:00Z",
                "timestamp": "2026-11-20T08:00:00Z",
                "receivedAt": "2026-11-20T08:02:00Z",
            },
            "2026-11-20T08:00",
        ),
        ({"timestamp": "0001-01-01T00:00:00Z", "sentAt": "9999-12-31T00:00:00Z"}, None),
        ({"timestamp": "soon", "sentAt": "2026-11-22T09:29:00Z"}, None),
    ],
)
def test_a_clock_that_is_wrong_is_set_right(times: dict[str, str], minute: str | None) -> None:
    """By how long it was before the sending, and once; what no store keeps is no time."""
    body = {"type": "page", "messageId": "1", "anonymousId": "v", **times}
    told = wire(parsed(raw("site", msgspec.json.encode(body)))[0])["data"]["open"]["provider_time"]
    assert (told or "")[:16] == (minute or "")


def test_two_visitors_may_use_one_id() -> None:
    """The page chooses it, and its key is public: what another visitor says is a fact of its own."""
    items = [
        {
            "type": "track",
            "event": "Asked",
            "messageId": "1",
            "anonymousId": who,
            "properties": said,
        }
        for who, said in (("v1", {"message": "one"}), ("v2", {"message": "two"}))
    ]
    body = msgspec.json.encode({"batch": items, "writeKey": "k"})
    one, other = parsed(raw("site", body))
    assert one.id != other.id
    assert [each.personal.text for each in (one, other)] == ["one", "two"]


def test_calls_as_the_documents_examples_write_them() -> None:
    """`action` for `type`, fields in snake case; what a customer writes in a chat, and not what an agent does."""
    made = [wire(event)["data"] for event in parsed(raw("site", EXAMPLES))]
    assert [each["personal"]["did"] for each in made] == [
        ["Live Chat Message Sent"],
        ["Live Chat Message Received"],
        ["Live Chat Conversation Started"],
        ["Email Opened"],
        ["Signed Up"],
        [],
    ]
    assert [each["personal"]["text"] for each in made] == [
        "Where is my lamp?",
        "",
        "Hello?",
        *("", "", ""),
    ]
    assert [[each["value"] for each in one["personal"]["handles"]] for one in made] == [
        ["site:77", "v-1"],
        ["site:77"],
        ["site:77"],
        ["anna@mail.example", "site:77"],
        ["anna@mail.example", "+48600100200", "site:77"],
        ["eva@mail.example", "site:78", "v-2"],
    ]
    assert [each["personal"]["name"] for each in made[3:]] == [None, "Anna Nowak", "Eva Kovac"]
    assert made[5]["open"]["provider_id"] == "ajs-9"
    assert made[5]["open"]["provider_time"] == "2026-11-22T09:29:30.250000Z"


@pytest.mark.parametrize(
    ("item", "known"),
    [
        ({"userId": "Anna@x.example"}, ["anna@x.example", "site:Anna@x.example"]),
        ({"userId": "a@x.example", "traits": {"email": "b@x.example"}}, ["b@x.example", "site:a@x.example"]),
        ({"type": "alias", "userId": "7", "previousId": "a@x.example"}, ["a@x.example", "site:7", "a@x.example"]),
        ({"userId": "7", "anonymousId": "a@x.example"}, ["site:7", "a@x.example"]),
    ],
)  # fmt: skip
def test_whom_a_shop_calls_by_her_address_has_it(item: dict[str, Any], known: list[str]) -> None:
    """What her traits say stands before it; what a page calls a visitor by chance is no address of hers."""
    (event,) = parsed(raw("site", msgspec.json.encode({"type": "identify", **item})))
    assert [each.value for each in event.personal.handles] == known
    assert {each.proof for each in event.personal.handles} == {"claimed"}


@pytest.mark.parametrize(
    ("event", "change"),
    [
        ("Added Product", "added"),
        ("Wishlist Product Added to Cart", "added"),
        ("Removed Product", "removed"),
        ("Completed Order", "ordered"),
        ("Product Viewed", None),
    ],
)
def test_the_cart_by_either_version_of_the_specification(event: str, change: str | None) -> None:
    """Older programs say the same with the words the other way round."""
    item = {
        "type": "track",
        "event": event,
        "properties": {"product_id": "7", "name": "Floor lamp"},
    }
    (made,) = parsed(raw("site", msgspec.json.encode(item)))
    assert made.personal.cart_is == change
    assert made.personal.cart == (["Floor lamp"] if change else [])


def test_a_notifications_campaign_stands_among_the_properties() -> None:
    """What an app tells of; where the page's context has one, that is it."""
    told = {"medium": "Push", "name": "autumn", "shown": 1}
    item = {"type": "track", "event": "Push Notification Tapped", "properties": {"campaign": told}}
    for context, campaign in (
        ({}, [("medium", "Push"), ("name", "autumn")]),
        ({"campaign": {"source": "mail"}}, [("source", "mail")]),
        ({"campaign": "none"}, [("medium", "Push"), ("name", "autumn")]),
    ):
        (made,) = parsed(raw("site", msgspec.json.encode({**item, "context": context})))
        assert made.personal.campaign == campaign


def test_an_address_that_is_none_is_shown_as_it_is() -> None:
    """Whoever writes it: the key is public, and nobody's address holds up what lies behind it."""
    item = {"type": "page", "properties": {"url": "https://[shop.example/#top"}}
    (event,) = parsed(raw("site", msgspec.json.encode(item)))
    assert [each.url for each in event.personal.pages] == ["https://[shop.example/"]


def test_an_alias_links_whom_the_page_called_otherwise() -> None:
    """Who is signed in now was that visitor; a visitor whom the page names besides is the one who is meant."""
    for known, visitor in (({}, "v-0"), ({"anonymousId": "v-1"}, "v-1")):
        item = {"type": "alias", "previousId": "v-0", "userId": "77", **known}
        (event,) = parsed(raw("site", msgspec.json.encode(item)))
        assert [each.value for each in event.personal.handles] == ["site:77", visitor]


def test_an_item_without_an_id_is_named_by_what_it_says() -> None:
    """Sent again it is the same; another one is another."""
    said = b'{"type":"track","event":"%s"}'
    first, again, other = (parsed(raw("site", said % each))[0] for each in (b"A", b"A", b"B"))
    assert first.id == again.id != other.id


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (b'{"type":"group"}', Ignored("group")),
        (b'{"action":"group"}', Ignored("group")),
        (b'{"action":"dance"}', Quarantined("payload.kind_unknown", "dance")),
        (b'{"type":"dance"}', Quarantined("payload.kind_unknown", "dance")),
        (b'{"hello":1}', Quarantined("payload.not_an_event")),
        (b'{"batch":[]}', Quarantined("payload.not_an_event")),
        (b"[1]", Quarantined("payload.unreadable")),
    ],
)
def test_what_is_nothing_of_a_visit(body: bytes, outcome: Any) -> None:
    """Other kinds are ignored by name; what nobody documents is kept."""
    assert site.parse(raw("site", body)) == outcome


def test_a_browser_names_its_key_in_the_body() -> None:
    """It cannot set the header when the page is left."""
    for key, opens in ((SECRET, True), ("another", False)):
        body = msgspec.json.encode({"type": "page", "writeKey": key})
        request = WebRequest("POST", "/in/demo/site/main", [], body, RECEIVED)
        if opens:
            site.verify(request, {"signing": SECRET}, PUBLIC)
            continue
        with pytest.raises(SignatureInvalid):
            site.verify(request, {"signing": SECRET}, PUBLIC)


LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
FIELDS = "type action event properties context traits products page url userId user_id timestamp campaign batch"
NAMES = st.sampled_from(FIELDS.split())
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner),
    max_leaves=8,
)


@given(item=VALUES)
def test_no_item_makes_it_fail(item: Any) -> None:
    """Whatever stands in a field."""
    for type_ in ("page", "track"):
        fields = item if isinstance(item, dict) else {"properties": item}
        site.parse(raw("site", msgspec.json.encode({"batch": [{**fields, "type": type_}, item]})))
