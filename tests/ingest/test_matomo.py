"""What visitors do on a shop's pages, by Matomo's Tracking HTTP API."""

import base64
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.channels import matomo
from services.ingest.domain.delivery import BY_GET, RawDelivery, WebRequest
from services.ingest.domain.outcome import Ignored, Quarantined
from shared.errors import SignatureInvalid
from tests.ingest.running_ingest import (
    GOLDEN,
    PUBLIC,
    RECEIVED,
    SECRET,
    RunningIngest,
    Sample,
    parsed,
    raw,
    wire,
)

PAGE = (GOLDEN / "matomo_page.query").read_bytes()
BULK = (GOLDEN / "matomo_bulk.json").read_bytes()
FORM = "application/x-www-form-urlencoded; charset=UTF-8"
DOOR = "/in/demo/matomo/main"


def by_password(secret: str, body: bytes) -> dict[str, str]:
    """The header field that an address with a password becomes."""
    return {"authorization": "Basic " + base64.b64encode(f"any:{secret}".encode()).decode()}


SAMPLE = Sample(PAGE, by_password, [("content-type", FORM)], signs_body=False)


def hit(**said: str) -> RawDelivery:
    """One hit as a form."""
    return raw("matomo", urlencode({"idsite": "1", "rec": "1", "_id": "a" * 16, **said}).encode())


def told(delivery: RawDelivery) -> dict[str, Any]:
    """What one hit makes."""
    (event,) = parsed(delivery)
    data: dict[str, Any] = wire(event)["data"]
    return data


def test_a_page_is_told_with_who_looks_at_it_and_what_brought_her() -> None:
    """A shop often calls a user by her address; the page alone says so, and claims it."""
    data = told(raw("matomo", PAGE))
    assert len(data["open"]["provider_id"]) == 64
    assert data["open"]["medium"] == "site"
    assert data["open"]["provider_time"] is None
    claimed = {"verified": False, "proof": "claimed"}
    assert data["personal"] == {
        "handles": [
            {"kind": "email", "value": "anna@mail.example", **claimed},
            {"kind": "account", "value": "matomo:Anna@Mail.example", **claimed},
            {"kind": "visitor", "value": "af344a398df83874", **claimed},
        ],
        "name": None,
        "did": [],
        "pages": [
            {
                "url": "https://shop.example/lamps?mtm_campaign=autumn&mtm_source=newsletter&mtm_kwd=lamp",
                "title": "Lamps ładne",
            }
        ],
        "cart": [],
        "cart_is": None,
        "campaign": [["campaign", "autumn"], ["kwd", "lamp"], ["source", "newsletter"]],
        "text": "",
    }


def test_several_hits_come_in_one_delivery() -> None:
    """Each is a fact of its own, of one visitor; what only says that a page is still open is none."""
    events = parsed(raw("matomo", BULK))
    made = [wire(event)["data"] for event in events]
    assert [each["personal"]["did"] for each in made] == [
        ["Product: Floor lamp"],
        ["Cart update"],
        ["Videos / Play / How to mount it"],
        ["Site search: bulb E27"],
        ["Order: A-1001"],
    ]
    assert [each["personal"]["cart_is"] for each in made] == [None, "whole", None, None, "ordered"]
    assert made[1]["personal"]["cart"] == ["Floor lamp", "B-27"]
    assert [len(each["personal"]["pages"]) for each in made] == [1, 0, 0, 1, 0]
    assert [each["open"]["provider_time"] for each in made[:3]] == [
        "2026-11-22T09:20:00Z",
        "2026-11-22T09:21:00Z",
        None,
    ]
    assert len({event.id for event in events}) == 5
    assert len({each["open"]["contact_id"] for each in made}) == 1


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("by GET, as an image", f"{DOOR}?{PAGE.decode()}", PAGE),
        ("by POST without a body", f"{DOOR}?{PAGE.decode()}", b""),
        ("in a list", DOOR, json.dumps({"requests": [f"?{PAGE.decode()}"]}).encode()),
        ("as a whole address", DOOR, b"https://matomo.example/matomo.php?" + PAGE),
        ("again, as an image", DOOR, PAGE.replace(b"send_image=0", b"send_image=1")),
        ("later, from a queue", DOOR, PAGE + b"&cdo=60"),
    ],
)
def test_a_hit_is_the_same_however_it_comes(method: str, path: str, body: bytes) -> None:
    """The script chooses how it sends, and sends again in another way."""
    (first,), (other,) = parsed(raw("matomo", PAGE)), parsed(raw("matomo", body, path=path))
    assert first.id == other.id, method


def test_hits_that_say_the_same_are_told_apart_by_their_number() -> None:
    """A page looked at twice is two facts: each hit has a number by chance."""
    ids = {parsed(hit(url="https://a.example", rand=each))[0].id for each in ("1", "2", "1")}
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"cdo": "90"}, "2026-11-22T09:28:30.250000Z"),
        ({"cdt": "2026-11-22 09:00:01"}, "2026-11-22T09:00:01Z"),
        ({"cdt": "2026-11-22T09:00:01.500Z"}, "2026-11-22T09:00:01.500000Z"),
        ({"cdt": "1795338000"}, "2026-11-22T09:00:00Z"),
        ({"cdt": "yesterday"}, None),
        ({"cdt": "9999-12-31T23:59:59-01:00"}, None),
        ({"cdo": "9" * 18}, None),
        ({"cdo": "-5"}, None),
    ],
)
def test_a_late_hit_says_when_it_was(said: dict[str, str], expected: str | None) -> None:
    """How long it has waited, or when it was, in UTC; what no store keeps is no time."""
    assert told(hit(**said))["open"]["provider_time"] == expected


@pytest.mark.parametrize(
    ("said", "kinds"),
    [
        ({"uid": "77"}, [("account", "matomo:77"), ("visitor", "a" * 16)]),
        (
            {"uid": "+48600100200"},
            [("phone", "+48600100200"), ("account", "matomo:+48600100200"), ("visitor", "a" * 16)],
        ),
        ({"cid": "B" * 16}, [("visitor", "b" * 16)]),
        ({"_id": ""}, []),
        ({"_id": "Shop-Anna"}, [("visitor", "Shop-Anna")]),
    ],
)
def test_who_she_is_by_the_pages_word(said: dict[str, str], kinds: list[tuple[str, str]]) -> None:
    """A user's own name in the shop, also where that is her number; the visitor that the page has set before."""
    found = told(hit(**said))["personal"]["handles"]
    assert [(each["kind"], each["value"]) for each in found] == kinds
    assert {each["proof"] for each in found} <= {"claimed"}


@pytest.mark.parametrize(
    ("url", "campaign"),
    [
        ("https://a.example/#mtm_campaign=a&mtm_cid=7", [["campaign", "a"], ["cid", "7"]]),
        ("https://a.example/?utm_source=x&utm_term=y", [["source", "x"], ["term", "y"]]),
        ("https://a.example/?pk_campaign=b&PIWIK_KWD=c", [["campaign", "b"], ["kwd", "c"]]),
        ("https://a.example/?atm_campaign=a&mtm_campaign=", []),
        ("https://[a.example/?mtm_campaign=a#b", [["campaign", "a"]]),
    ],
)
def test_a_campaign_stands_in_the_address_of_the_page(url: str, campaign: list[list[str]]) -> None:
    """Under the names of Matomo, of its past and of others."""
    assert told(hit(url=url))["personal"]["campaign"] == campaign


@pytest.mark.parametrize(
    ("items", "cart", "cart_is"),
    [
        ("[]", [], "whole"),
        ('[["a","A"],["b"],[],[7,null]]', ["A", "b", "7"], "whole"),
        ('[["a","\\ud83d"]]', ["\ufffd"], "whole"),
        (
            json.dumps([[str(n), f"N{n}"] for n in range(500)]),
            [f"N{n}" for n in range(16)],
            "whole",
        ),
        ('{"a": 1}', [], None),
        ("[[", [], None),
    ],
)
def test_a_cart_is_always_told_as_a_whole(items: str, cart: list[str], cart_is: str | None) -> None:
    """What cannot be read says nothing of it: it does not empty it."""
    personal = told(hit(idgoal="0", ec_items=items))["personal"]
    assert (personal["cart"], personal["cart_is"]) == (cart, cart_is)


@pytest.mark.parametrize(
    ("said", "done"),
    [
        ({"download": "https://a.example/manual.pdf"}, ["Download: https://a.example/manual.pdf"]),
        ({"link": "https://b.example/"}, ["Outlink: https://b.example/"]),
        ({"idgoal": "3", "revenue": "1"}, ["Goal: 3"]),
        ({"_pks": "L-7"}, ["Product: L-7"]),
        ({"e_c": " ", "e_a": ""}, []),
    ],
)
def test_what_she_did(said: dict[str, str], done: list[str]) -> None:
    """In the words of Matomo's reports."""
    assert told(hit(**said))["personal"]["did"] == done


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (b"idsite=1&rec=0&url=a", Ignored("unrecorded")),
        (b"idsite=1&url=a", Ignored("unrecorded")),
        (b"idsite=1&rec=1&ping=1", Ignored("ping")),
        (b"idsite=1&rec=1&recMode=1&url=a", Ignored("bot")),
        (b"idsite=1&rec=1&c_n=Banner&c_i=click", Ignored("content")),
        (b"idsite=1&rec=1&ma_id=1", Ignored("media")),
        (b"idsite=1&rec=1&cra=broken&ca=1", Ignored("crash")),
        (b"a=b", Quarantined("payload.not_an_event")),
        (b'{"requests":[]}', Quarantined("payload.not_an_event")),
        (b'{"requests":[7,"?"]}', Quarantined("payload.unreadable")),
        (b'{"requests":', Quarantined("payload.unreadable")),
        (b"", Quarantined("payload.unreadable")),
        (b"\xff\x00", Quarantined("payload.unreadable")),
    ],
)
def test_what_is_nothing_of_a_visit(body: bytes, outcome: Any) -> None:
    """Other kinds are ignored by name; what nobody documents is kept."""
    assert matomo.parse(raw("matomo", body)) == outcome


def test_a_hit_that_cannot_be_read_costs_no_other() -> None:
    """It stands beside them."""
    body = json.dumps({"requests": [7, "?idsite=1&rec=1", {"idsite": 1, "rec": 1, "uid": 5}]})
    kinds = [event.type for event in parsed(raw("matomo", body.encode()))]
    assert kinds == ["visit.summarised", "visit.summarised", "payload.quarantined"]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("url", "opens"),
    [
        (f"{DOOR}?token={SECRET}&idsite=1", True),
        (f"{DOOR}?token=another&idsite=1", False),
        (f"{DOOR}?token={SECRET[:-1]}", False),
        (f"{DOOR}?token_auth={SECRET}", False),
        (f"{DOOR}?token=&token={SECRET}", False),
        (DOOR, False),
    ],
)
def test_the_secret_stands_in_the_address(method: str, url: str, opens: bool) -> None:
    """Matomo's own token opens nothing here; of two the first counts."""
    request = WebRequest(method, url, [], b"idsite=1", RECEIVED)
    assert matomo.handshake(request, {"signing": SECRET}) is BY_GET
    if opens:
        matomo.verify(request, {"signing": SECRET}, PUBLIC)
        return
    with pytest.raises(SignatureInvalid):
        matomo.verify(request, {"signing": SECRET}, PUBLIC)


async def test_the_door_takes_hits_by_both_methods_and_keeps_no_secret(
    ingest: RunningIngest,
) -> None:
    """What comes twice is one fact; what is too large or forged is refused; RAW holds no token."""
    door = ingest.door("matomo")
    assert (await ingest.http.get(f"{door}?token={SECRET}&{PAGE.decode()}")).status_code == 204
    fields = {"content-type": FORM}
    again = await ingest.http.post(f"{door}?token={SECRET}", content=PAGE, headers=fields)
    assert again.status_code == 204
    forged = await ingest.http.get(f"{door}?token=guessed&{PAGE.decode()}")
    assert (forged.status_code, forged.json()["code"]) == (403, "door.signature_invalid")
    huge = b"a=" + b"b" * ingest.settings.body_max_bytes
    large = await ingest.http.post(f"{door}?token={SECRET}", content=huge, headers=fields)
    assert (large.status_code, large.json()["code"]) == (413, "door.body_too_large")
    await ingest.normalised("matomo")
    kept = await ingest.raw("matomo")
    assert len(kept) == 2
    assert not [each for each in kept if SECRET.encode() in each.body]
    assert not [each for each in kept if SECRET in str(each.headers)]
    assert await ingest.contacts("matomo", 0) == []


hits = st.dictionaries(
    st.sampled_from(
        [
            "url",
            "uid",
            "_id",
            "cid",
            "action_name",
            "idgoal",
            "ec_id",
            "ec_items",
            "cdt",
            "cdo",
            "e_c",
        ]
    ),
    st.text(max_size=40),
)


@given(told_of=st.lists(hits, min_size=1, max_size=6), data=st.data())
def test_hits_make_the_same_facts_in_any_order_and_company(
    told_of: list[dict[str, str]], data: st.DataObject
) -> None:
    """One by one, in one list, twice or the other way round: the same events by their ids."""
    queries = [
        urlencode({"idsite": "1", "rec": "1", "rand": str(n), **each})
        for n, each in enumerate(told_of)
    ]
    alone = {event.id for each in queries for event in parsed(raw("matomo", each.encode()))}
    shuffled = data.draw(st.permutations([*queries, *queries[:2]]))
    body = json.dumps({"requests": [f"?{each}" for each in shuffled]}).encode()
    assert {event.id for event in parsed(raw("matomo", body))} == alone
    assert len(alone) == len(queries)
