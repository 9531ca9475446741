"""What Twilio asks and is answered: its signature, and the account's instructions."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from starlette.datastructures import ImmutableMultiDict
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from services.ingest.channels import twilio_voice
from services.ingest.channels.shapes import twilio_signature
from services.ingest.domain.delivery import WebRequest
from shared import ids
from shared.errors import SignatureInvalid
from shared.policy import Account, MenuRule
from tests.ingest.running_ingest import PUBLIC, RECEIVED, SECRET


def request(
    body: bytes, signature: str | None, url: str = "/in/demo/twilio_voice/main"
) -> WebRequest:
    headers = [] if signature is None else [("x-twilio-signature", signature)]
    return WebRequest("POST", url, headers, body, RECEIVED)


def accepted(body: bytes, signature: str | None, public: str = PUBLIC, **url: str) -> bool:
    try:
        twilio_voice.verify(request(body, signature, **url), {"signing": SECRET}, public)
    except SignatureInvalid:
        return False
    return True


@pytest.mark.parametrize(
    "pairs",
    [
        [("CallSid", "CA1"), ("Digits", "12")],
        [("b", "2"), ("b", "1"), ("b", "2"), ("a", "x")],
        [("Empty", ""), ("Polish", "zażółć gęślą"), ("Plus", "+48 601")],
        [],
    ],
)
@pytest.mark.parametrize("query", ["", "?menu=1&x=%20y"])
def test_our_signature_is_the_providers(pairs: list[tuple[str, str]], query: str) -> None:
    """Twilio's own library makes the same signature, repeated keys and addresses with queries included."""
    url = PUBLIC + "/in/demo/twilio_voice/main" + query
    theirs = RequestValidator(SECRET).compute_signature(url, ImmutableMultiDict(pairs))
    assert twilio_signature.signature(SECRET, url, pairs) == theirs


def test_a_repeated_parameter_is_signed_with_each_of_its_values() -> None:
    """Dropping one of two values of a key breaks the signature."""
    url = PUBLIC + "/in/demo/twilio_voice/main"
    signature = RequestValidator(SECRET).compute_signature(
        url, ImmutableMultiDict([("Digits", "1"), ("Digits", "2")])
    )
    assert accepted(b"Digits=2&Digits=1", signature)
    assert not accepted(b"Digits=2", signature)


@pytest.mark.parametrize("signed_as", [PUBLIC, PUBLIC + ":443"])
@pytest.mark.parametrize("known_as", [PUBLIC, PUBLIC + ":443", PUBLIC + "/"])
def test_the_port_may_be_named_or_not(signed_as: str, known_as: str) -> None:
    """The provider signs either way, whatever our public address says."""
    url = signed_as + "/in/demo/twilio_voice/main"
    signature = RequestValidator(SECRET).compute_signature(url, {"CallSid": "CA1"})
    assert accepted(b"CallSid=CA1", signature, public=known_as)


def test_the_public_address_is_what_is_signed() -> None:
    """A signature for another host, path or query is none for this one."""
    for url in (
        "https://evil.example/in/demo/twilio_voice/main",
        PUBLIC + "/in/demo/twilio_voice/x",
    ):
        signature = RequestValidator(SECRET).compute_signature(url, {"CallSid": "CA1"})
        assert not accepted(b"CallSid=CA1", signature)
    good = PUBLIC + "/in/demo/twilio_voice/main"
    signature = RequestValidator(SECRET).compute_signature(good, {"CallSid": "CA1"})
    assert not accepted(b"CallSid=CA1", signature, url="/in/demo/twilio_voice/main?x=1")


@pytest.mark.parametrize(
    "url", ["%2Fin/demo/twilio_voice/main", "//[in", "/in?x=[#]", ":x", "@h:99999999/"]
)
@pytest.mark.parametrize("public", [PUBLIC, PUBLIC + ":8443"])
def test_whatever_stands_in_the_address_it_is_only_compared(url: str, public: str) -> None:
    """A stranger's address is no address of ours: it is refused, and nothing tries to understand it."""
    assert not accepted(b"CallSid=CA1", "c2lnbmF0dXJl", url=url, public=public)


def test_a_json_body_is_signed_by_its_hash_in_the_address() -> None:
    """bodySHA256 stands in the signed address and must be the hash of the body."""
    body = b'{"CallSid": "CA1"}'
    path = f"/in/demo/twilio_voice/main?bodySHA256={ids.body_sha256(body)}"
    signature = RequestValidator(SECRET).compute_signature(PUBLIC + path, {})
    assert accepted(body, signature, url=path)
    assert not accepted(body + b" ", signature, url=path)


def vectors() -> list[dict[str, Any]]:
    """The vectors of the provider's own test-suite, where the corpus is."""
    corpus = os.environ.get("TELLONCE_CORPUS")
    if not corpus:
        return []
    path = "sms/twilio+twilio-python/tests/unit/test_request_validator.py.d/signature_vectors.json"
    loaded: list[dict[str, Any]] = json.loads((Path(corpus) / path).read_text())
    return [vector for vector in loaded if "signature" in vector]


@pytest.mark.skipif(not os.environ.get("TELLONCE_CORPUS"), reason="TELLONCE_CORPUS is not set")
def test_the_providers_own_vectors_verify() -> None:
    """Each vector of the provider verifies, with and without the port in its address."""
    form = next(vector for vector in vectors() if vector["name"] == "form")["params"]
    seen = 0
    for vector in vectors():
        given = form if vector["params"] == "same as form" else vector["params"]
        pairs = list(given.items()) if isinstance(given, dict) else [(k, v) for k, v in given]
        url = vector["url"]
        tried = [
            twilio_signature.signature(vector["token"], each, pairs)
            for each in twilio_signature.with_ports(url)
        ]
        assert vector["signature"] in tried, vector["name"]
        seen += 1
    assert seen >= 5


def test_the_door_answers_with_the_accounts_instructions() -> None:
    """The caller hears the menu; who has pressed a digit goes on behind it."""
    rules = Account(
        queue="hotline",
        reply='<Response><Gather numDigits="1"><Say>Press</Say></Gather><Enqueue>h</Enqueue></Response>',
        menu={
            "9": MenuRule(fact="menu_choice", callback=True, reply="<Response><Hangup/></Response>")
        },
    )
    menu = twilio_voice.answer(request(b"CallSid=CA1", None), rules)
    pressed = twilio_voice.answer(request(b"CallSid=CA1&Digits=2", None), rules)
    assert menu.media_type == pressed.media_type == "text/xml"
    assert b"<Gather" in menu.body
    assert pressed.body == b"<Response><Enqueue>h</Enqueue></Response>"
    own = twilio_voice.answer(request(b"CallSid=CA1&Digits=9", None), rules)
    assert own.body == b"<Response><Hangup/></Response>"


def test_who_has_spoken_on_the_machine_does_not_hear_it_again() -> None:
    """Record asks at the address of its own TwiML; Dial, whose call was recorded, goes on."""
    rules = Account(queue="hotline", reply="<Response><Record/></Response>")
    left = b"CallSid=CA1&CallStatus=in-progress&RecordingUrl=https%3A%2F%2Fx&Digits=hangup"
    assert twilio_voice.answer(request(left, None), rules).body == b"<Response/>"
    dialled = twilio_voice.answer(request(left + b"&DialCallStatus=completed", None), rules)
    assert dialled.body == b"<Response><Record/></Response>"
