"""The Standard Webhooks scheme."""

import base64
import hashlib
import hmac
from datetime import timedelta

import pytest
from standardwebhooks import Webhook

from services.ingest.domain import webhook_signature
from services.ingest.domain.delivery import WebRequest
from shared.errors import SignatureInvalid
from tests.ingest.running_ingest import RECEIVED, SECRET, signed

BODY = b'{"message":"hello"}'


def accepted(headers: dict[str, str], body: bytes = BODY, secret: str = SECRET) -> bool:
    request = WebRequest("POST", "/in/demo/form/main", list(headers.items()), body, RECEIVED)
    try:
        webhook_signature.verify(request, secret)
    except SignatureInvalid:
        return False
    return True


def test_the_signature_covers_id_time_and_body() -> None:
    """It is base64 of HMAC-SHA256 over `id.timestamp.body` under the secret's bytes."""
    digest = hmac.new(SECRET.encode(), b"msg_1.1700000000." + BODY, hashlib.sha256).digest()
    expected = "v1," + base64.b64encode(digest).decode()
    assert webhook_signature.sign(SECRET, "msg_1", 1_700_000_000, BODY) == expected


def test_a_request_signed_now_is_taken_and_any_change_is_refused() -> None:
    """Body, id, time, secret: each is covered."""
    headers = signed(SECRET, BODY, at=RECEIVED)
    assert accepted(headers)
    assert not accepted(headers, body=BODY + b" ")
    assert not accepted(headers, secret="another")
    assert not accepted({**headers, "webhook-id": "msg_2"})
    later = str(int(headers["webhook-timestamp"]) + 1)
    assert not accepted({**headers, "webhook-timestamp": later})


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_field_is_refused(name: str) -> None:
    """None of the three can be left out."""
    headers = signed(SECRET, BODY, at=RECEIVED)
    del headers[name]
    assert not accepted(headers)


@pytest.mark.parametrize("minutes", [-6, 6])
def test_an_old_or_future_request_is_refused(minutes: int) -> None:
    """A recorded request cannot be played again after five minutes."""
    assert not accepted(signed(SECRET, BODY, at=RECEIVED + timedelta(minutes=minutes)))
    assert accepted(signed(SECRET, BODY, at=RECEIVED + timedelta(minutes=minutes // 2)))


@pytest.mark.parametrize("timestamp", ["", "x", "-1", "1e9", "١٢٣", "9" * 400])
def test_a_time_that_is_no_number_is_refused(timestamp: str) -> None:
    """It is not computed with."""
    assert not accepted({**signed(SECRET, BODY, at=RECEIVED), "webhook-timestamp": timestamp})


def test_one_of_several_signatures_is_enough() -> None:
    """While a secret is being changed the sender signs with both."""
    headers = signed(SECRET, BODY, at=RECEIVED)
    several = f"v1,{'A' * 43}= {headers['webhook-signature']} v1a,zzz"
    assert accepted({**headers, "webhook-signature": several})
    assert not accepted({**headers, "webhook-signature": "v1,żółć zzz"})


@pytest.mark.parametrize("end", ["", "="])
def test_a_secret_in_the_schemes_own_form_is_decoded(end: str) -> None:
    """`whsec_` and base64 stand for random bytes; some tools leave the padding out."""
    raw_key = b"\x00\x01random!!!"
    secret = "whsec_" + base64.b64encode(raw_key).decode().rstrip("=") + end
    digest = hmac.new(raw_key, b"msg_1.5." + BODY, hashlib.sha256).digest()
    expected = "v1," + base64.b64encode(digest).decode()
    assert webhook_signature.sign(secret, "msg_1", 5, BODY) == expected


@pytest.mark.parametrize("secret", ["whsec_", "whsec_="])
def test_a_secret_of_nothing_signs_nothing(secret: str) -> None:
    """A template whose variable was never set would let anybody in."""
    headers = signed("", BODY, at=RECEIVED)
    assert not accepted(headers, secret=secret)
    assert not accepted(headers, secret="whsec_\u017c")


def test_another_implementation_of_the_scheme_signs_alike() -> None:
    """Of text bodies; a body of other bytes it cannot take at all (docs/adr/0026)."""
    at = RECEIVED.replace(microsecond=0)
    body, key = '{"message":"zażółć"}', b"a key of any bytes"
    theirs = Webhook(key).sign("msg_1", at, body)
    ours = webhook_signature.sign(key.decode(), "msg_1", int(at.timestamp()), body.encode())
    assert ours == theirs
