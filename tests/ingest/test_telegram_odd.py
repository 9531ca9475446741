"""Updates of Telegram that are nobody's, unknown, or damaged."""

import pytest

from services.ingest.channels import telegram
from services.ingest.domain.outcome import Ignored, Quarantined
from tests.ingest.running_ingest import RECEIVED, raw
from tests.ingest.test_telegram import ANNA, GROUP, handles_of, message, one, update

# -- what is nobody's, unknown, or damaged ------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", [kind for kind, ours in telegram.UPDATE_KINDS.items() if ours == telegram.IGNORED]
)
def test_what_no_customer_says_is_ignored_by_name(kind: str) -> None:
    """Queries, polls, boosts, posts: the channel knows them and nobody needs them."""
    told = message() if "post" in kind else {"chat": GROUP}
    assert telegram.parse(raw("telegram", update(kind, told))) == Ignored(kind)


def test_a_service_message_is_ignored_by_name() -> None:
    """That something happened in a chat is no request."""
    body = update("message", message(new_chat_members=[ANNA]))
    assert telegram.parse(raw("telegram", body)) == Ignored("new_chat_members")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{", None),
        (b'{"update_id":1,"message":{"text":"hi"}}', "message"),
        (b'{"update_id":1,"message":7}', "message"),
        (b'{"update_id":1,"deleted_business_messages":{}}', "deleted_business_messages"),
        (b'{"update_id":1,"message_reaction":{}}', "message_reaction"),
        (b'{"update_id":1,"callback_query":{}}', "callback_query"),
        (b'{"update_id":1,"my_chat_member":{}}', "my_chat_member"),
        (b'{"update_id":1,"update_id":2}', None),
    ],
)
def test_what_cannot_be_read_is_quarantined(body: bytes, kind: str | None) -> None:
    """It says which kind it was meant to be."""
    found = telegram.parse(raw("telegram", body))
    assert isinstance(found, Quarantined)
    assert found.kind == kind


@pytest.mark.parametrize("body", [b"[]", b"{}", b"7", b'{"update_id":1}', b'{"ok":true}'])
def test_what_is_no_update_is_no_event(body: bytes) -> None:
    """It can be read, and Telegram sends no such thing."""
    assert telegram.parse(raw("telegram", body)) == Quarantined("payload.not_an_event")


def test_a_kind_that_is_not_in_the_table_is_quarantined_by_name() -> None:
    """A provider that invents one is heard of."""
    found = telegram.parse(raw("telegram", update("telepathy", {})))
    assert found == Quarantined("payload.kind_unknown", "telepathy")


def test_odd_fields_cost_nothing_else() -> None:
    """No time, a name that is a number, an id as a text: what she wrote stands."""
    told = message(text="Hello", date="<now>", **{"from": {"id": "61", "first_name": 7}})
    event = one("message", told)
    assert (event.personal.text, event.personal.name) == ("Hello", None)
    assert event.open.provider_time is None
    assert event.occurred == RECEIVED
    assert handles_of(event)[1:] == [("account", "telegram:61", "proved")]
