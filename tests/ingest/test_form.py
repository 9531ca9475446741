"""The contact form."""

import msgspec
import pytest

from services.ingest.channels import form
from services.ingest.domain.outcome import Quarantined
from shared import ids
from shared.events import FormSubmitted
from tests.ingest.running_ingest import Sample, by_webhook, form_body, parsed, raw, wire

JSON = [("content-type", "application/json; charset=utf-8"), ("webhook-id", "msg_1")]
URLENCODED = [("content-type", "application/x-www-form-urlencoded"), ("webhook-id", "msg_1")]
FIELDS = {
    "submission_id": "f-77",
    "name": "Anna Kowalska",
    "email": " Anna@Shop.Example ",
    "phone": "+48 601 234 567",
    "topic": "delivery",
    "order": "ORD-1234",
    "message": "The locker is broken.",
}
SAMPLE = Sample(b'{"message":"hello","submission_id":"f"}', by_webhook, JSON[:1])


def claimed(kind: str, value: str) -> dict[str, object]:
    return {"kind": kind, "value": value, "verified": False, "proof": "claimed"}


def test_a_form_has_every_field() -> None:
    """A form becomes form.submitted; each field of the event is asserted."""
    body = msgspec.json.encode(FIELDS)
    (event,) = parsed(raw("form", body, headers=JSON))
    contact = ids.scoped_id("contact", "demo", "form/main", "f-77")
    said = "\n".join(f"{name}={FIELDS[name]}" for name in sorted(FIELDS))
    named = f"f-77/{ids.body_sha256(said.encode())}"
    assert wire(event) == {
        "type": "form.submitted",
        "specversion": "1.0",
        "id": ids.contact_event_id("demo", "form", "main", named, "form.submitted"),
        "source": "tellonce/ingest",
        "time": "2026-11-22T09:30:00.250000Z",
        "subject": f"contact-{contact}",
        "dataschema": "urn:tellonce:event:1",
        "datacontenttype": "application/json",
        "tenant": "demo",
        "recordedtime": "2026-11-22T09:30:00.250000Z",
        "actor": "channel:form/main",
        "rawref": f"7:{ids.body_sha256(body)}",
        "data": {
            "open": {
                "contact_id": contact,
                "medium": "form",
                "channel": "form",
                "account": "main",
                "provider_id": "f-77",
                "provider_time": None,
                "automatic": False,
                "numbered": None,
                "topic": "delivery",
                "attachments": 0,
            },
            "personal": {
                "handles": [
                    claimed("email", "anna@shop.example"),
                    claimed("phone", "+48601234567"),
                ],
                "name": "Anna Kowalska",
                "fields": [
                    ["name", "Anna Kowalska"],
                    ["email", " Anna@Shop.Example "],
                    ["phone", "+48 601 234 567"],
                    ["topic", "delivery"],
                    ["order", "ORD-1234"],
                ],
                "text": "The locker is broken.",
                "left_out": [],
                "files": [],
            },
        },
    }


def test_both_formats_say_the_same() -> None:
    """A form as JSON and as urlencoded parameters is one and the same submission."""
    (one,) = parsed(raw("form", msgspec.json.encode(FIELDS), headers=JSON))
    (other,) = parsed(raw("form", form_body(**FIELDS), headers=URLENCODED))
    assert one.id == other.id
    assert one.personal == other.personal


def test_without_an_id_of_the_page_the_webhooks_id_names_the_form() -> None:
    """The same request sent again is the same form, two requests are two."""
    body = b'{"message":"hello"}'
    (first,) = parsed(raw("form", body, headers=JSON))
    (again,) = parsed(raw("form", body, headers=JSON, sequence=8))
    (other,) = parsed(raw("form", body, headers=[JSON[0], ("webhook-id", "msg_2")]))
    assert first.open.provider_id == "msg_1"
    assert first.id == again.id != other.id


def test_only_topics_of_the_policy_reach_the_open_part() -> None:
    """What a visitor types may be personal; it stays among the fields."""
    (event,) = parsed(raw("form", b'{"topic":"my divorce"}', headers=JSON))
    assert event.open.topic is None
    assert event.personal.fields == [("topic", "my divorce")]


def test_numbers_and_flags_are_kept_as_they_were_written() -> None:
    """A JSON form may hold more than texts."""
    (event,) = parsed(raw("form", b'{"parcels":2,"urgent":true,"note":null}', headers=JSON))
    assert event.personal.fields == [("parcels", "2"), ("urgent", "true"), ("note", "")]


def test_a_list_is_a_field_that_is_given_several_times() -> None:
    """Checkboxes: one and the same form in both formats, whoever encodes it; a list without values is left empty."""
    body = {"submission_id": "f", "about": ["parcel", "locker", 2], "message": ["lost", "again"]}
    (one,) = parsed(raw("form", msgspec.json.encode(body), headers=JSON))
    query = b"submission_id=f&about=parcel&about=locker&about=2&message=lost&message=again"
    (other,) = parsed(raw("form", query, headers=URLENCODED))
    assert one.id == other.id
    assert one.personal == other.personal
    assert one.personal.fields == [("about", "parcel"), ("about", "locker"), ("about", "2")]
    assert one.personal.text == "lost\nagain"
    (empty,) = parsed(raw("form", b'{"about":[]}', headers=JSON))
    assert empty.personal.fields == [("about", "")]


@pytest.mark.parametrize(
    "odd", ['{"page":"/x"}', '[{"a":[1]},[2]]', "1e999", '[[["x"]]]', '{"deep":[{}, {"a": ""}]}']
)
def test_one_odd_field_discards_no_words(odd: str) -> None:
    """It is kept as the JSON that it came as; her words and how to reach her stand as ever."""
    body = f'{{"odd":{odd},"message":"my parcel is lost","email":"anna@shop.example"}}'.encode()
    (event,) = parsed(raw("form", body, headers=JSON))
    assert event.personal.text == "my parcel is lost"
    assert [handle.value for handle in event.personal.handles] == ["anna@shop.example"]
    values = [value for name, value in event.personal.fields if name == "odd"]
    assert "".join(values) in {odd, '{"a":[1]}[2]', '[["x"]]'}
    assert event.personal.left_out == []


def test_what_of_a_form_is_left_out_is_named() -> None:
    """Too many fields, and a long one: her words stand nevertheless; RAW has the rest."""
    fields = {f"k{number}": "v" for number in range(70)}
    body = {"long": "x" * 5_000, **fields, "email": "anna@shop.example", "message": "hello"}
    (event,) = parsed(raw("form", msgspec.json.encode(body), headers=JSON))
    assert event.personal.text == "hello"
    assert [handle.value for handle in event.personal.handles] == ["anna@shop.example"]
    assert len(event.personal.fields) == form.FIELDS_MAX
    late = [f"k{number}" for number in range(form.FIELDS_MAX - 1, 70)]
    assert event.personal.left_out == ["long", *late, "email"]


@pytest.mark.parametrize(
    "address", ["anna@customer.example.", "a@b\x01c.pl", "a@b\\c.pl", "a@b\x00.pl", "zażółć"]
)
def test_what_nobody_could_answer_to_is_no_handle(address: str) -> None:
    """It stays among the fields as it was typed, and leads to no customer."""
    (event,) = parsed(raw("form", msgspec.json.encode({"email": address}), headers=JSON))
    assert event.personal.handles == []
    assert event.personal.fields == [("email", address.replace("\x00", "\ufffd"))]


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"", JSON),
        (b"", URLENCODED),
        (b"{}", JSON),
        (b"[1]", JSON),
        (b'{"email":"a@b.example","email":"c@d.example"}', JSON),
        (b'{"a":' + b"[" * 5_000 + b"]" * 5_000 + b"}", JSON),
        (b"\xff\xfe", URLENCODED),
        (b"hello", []),
        (b"\xff\xff\x00\x01", []),
        (b'{"message": "hello", ', []),
        (b'{"message": "hello", ', JSON),
        (b"--x\r\n\r\nhello\r\n--x--", [("content-type", "multipart/form-data")]),
        (b"--x\r\n\r\nhello\r\n--x--", [("content-type", "multipart/form-data; boundary=x")]),
        (b"&".join(b"k%d=v" % number for number in range(1_025)), URLENCODED),
        (msgspec.json.encode({f"k{number}": "v" for number in range(1_025)}), JSON),
    ],
)
def test_what_is_no_form_is_unreadable(body: bytes, headers: list[tuple[str, str]]) -> None:
    """It is quarantined with its code."""
    assert form.parse(raw("form", body, headers=headers)) == Quarantined("payload.unreadable")


WORDS = {"message": "Grüße", "email": "anna@shop.example"}
PARTS = (
    '--b\r\nContent-Disposition: form-data; name="message"\r\n\r\nGrüße\r\n'
    '--b\r\ncontent-disposition: form-data; filename="a.png"; name="photo"\r\n\r\n\x89PNG\r\n'
    '--b\r\nContent-Disposition: form-data; name="email"\r\nContent-Type: text/plain\r\n\r\n'
    "anna@shop.example\r\n--b--\r\n"
)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ('{"message":"Grüße","email":"anna@shop.example"}'.encode("latin-1"), "application/json"),
        (b"\xef\xbb\xbf" + msgspec.json.encode(WORDS), "application/json"),
        (msgspec.json.encode(WORDS), "application/x-www-form-urlencoded"),
        ("message=Grüße&email=anna@shop.example".encode("latin-1"), URLENCODED[0][1]),
        (b"message=Gr%FC%DFe&email=anna%40shop.example", URLENCODED[0][1]),
        ("message=Grüße&email=anna%40shop.example".encode(), ""),
        (b"message=Gr%C3%BC%C3%9Fe&email=anna%40shop.example", ""),
        (b"{odd}=&message=Gr%C3%BC%C3%9Fe&email=anna%40shop.example", URLENCODED[0][1]),
        (PARTS.encode(), "multipart/form-data; boundary=b"),
        (PARTS.encode("latin-1"), 'multipart/form-data; charset=iso-8859-1; boundary="b"'),
    ],
)
def test_a_form_is_read_however_its_program_encodes_it(body: bytes, content_type: str) -> None:
    """Another charset, a mark at the beginning, the third format, or no type at all discard nobody's words."""
    (event,) = parsed(raw("form", body, headers=[("content-type", content_type)]))
    assert event.personal.text == "Grüße"
    assert [handle.value for handle in event.personal.handles] == ["anna@shop.example"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"hi \ud83d there", "hi \ufffd there"),
        (r"hi \ude00\ud83d", "hi \ufffd\ufffd"),
        (r"hi \ud83d\ude00", "hi \U0001f600"),
        (r"C:\\ud83d", "C:\\ud83d"),
    ],
)
def test_half_a_character_is_marked_where_it_stands(written: str, read: str) -> None:
    """A browser that cuts a text in two sends it; a backslash that the customer wrote is her own."""
    body = f'{{"message":"{written}","{written}":"x"}}'.encode()
    (event,) = parsed(raw("form", body, headers=JSON))
    assert event.personal.text == read
    assert event.personal.fields == [(read, "x")]


def test_long_fields_are_cut_and_the_event_fits_a_message() -> None:
    """RAW holds the rest."""
    body = msgspec.json.encode({"note": "x" * 100_000, "message": "ż" * 90_000})
    (event,) = parsed(raw("form", body, headers=JSON))
    assert len(event.personal.fields[0][1]) == form.FIELD_VALUE_MAX_BYTES - 2
    assert len(msgspec.json.encode(event)) < 256 * 1024


def test_a_file_of_a_form_is_named_with_its_hash() -> None:
    """Its bytes stay in the delivery; a field of files that was left empty is no file."""
    photo = b"\x89PNG\r\n\x1a\n\0--b"
    body = (
        b'--b\r\nContent-Disposition: form-data; name="message"\r\n\r\nBroken\r\n'
        b'--b\r\nContent-Disposition: form-data; name="photo"; filename="za\xc5\x82\xc4\x85.png"\r\n'
        b"Content-Type: image/PNG\r\n\r\n" + photo + b"\r\n"
        b'--b\r\nContent-Disposition: form-data; name="more"; filename=""\r\n\r\n\r\n--b--\r\n'
    )
    fields = [("content-type", "multipart/form-data; boundary=b"), ("webhook-id", "msg_1")]
    (event,) = parsed(raw("form", body, headers=fields))
    assert isinstance(event, FormSubmitted)
    assert event.open.attachments == 1
    assert event.personal is not None
    (file,) = event.personal.files
    assert (file.name, file.media_type) == ("załą.png", "image/png")
    assert (file.size_bytes, file.sha256) == (len(photo), ids.body_sha256(photo))
    assert event.personal.fields == [("photo", "załą.png"), ("more", "")]
