"""What cannot be written in a provider's protocol fails before the intent, with a word that says what is wrong."""

from typing import Any

import pytest

from services.notify.carriers import http, smtp
from services.notify.channels.email import Mail
from services.notify.domain.messages import Unsendable
from services.notify.domain.web import HttpRequest, unwritable
from tests.notify.samples import message
from tests.notify.test_sending import World

URL = "https://api.provider.example/v1/send"
ODD = [
    "EAAB\n",
    "EAAB\r\nx-other: 1",
    "EA\x00AB",
    "EAAB\u00a0",
    "\u201eEAAB\u201d",
    "\u017ceton",
    " EAAB",
]
URLS = [
    "https://api.provider.example/bot\u017c/send",
    "https://api.provider.example/a b",
    "https://api.provider.example:port/",
    "https://api.provider.example:99999/",
    "ftp://api.provider.example/",
    "https:///send",
    "api.provider.example",
    "https://api.provider.example/\r\nHost:x",
]


async def begin(request: HttpRequest) -> None:
    async with http.HttpCarrier().transaction(request):
        raise AssertionError("nothing is said")


@pytest.mark.parametrize("token", ODD)
async def test_an_odd_character_in_a_token_is_found_before_the_intent(token: str) -> None:
    """Nobody is even connected to; the word names neither the token nor its place."""
    request = HttpRequest(url=URL, body=b"", headers={"authorization": token})
    with pytest.raises(Unsendable) as refused:
        await begin(request)
    assert refused.value.reason == "header_invalid"
    assert token not in repr(refused.value)


@pytest.mark.parametrize("url", URLS)
async def test_an_address_that_is_none_is_found_before_the_intent(url: str) -> None:
    """An account's `api`, or a token that stands in the path."""
    with pytest.raises(Unsendable, match="url_invalid"):
        await begin(HttpRequest(url=url, body=b""))


def test_what_can_be_written_is() -> None:
    """Tokens of every provider here, an empty value, blanks within one."""
    headers = {
        "authorization": "Bearer EAA|b-1_2.3~4+/==",
        "x-empty": "",
        "user-agent": "Tellonce 0 (x)",
    }
    assert unwritable(HttpRequest(url=URL, body=b"\xff", headers=headers)) is None
    assert unwritable(HttpRequest(url=URL, body=b"", headers={"x y": "1"})) == "header_invalid"


@pytest.mark.parametrize(
    "wrong",
    ["\u017c@x.example", "a@x.example>\r\nRCPT TO:<b@x.example", "a b@x.example", "<a@x>", ""],
)
async def test_an_address_that_no_mail_server_takes_is_found_before_the_intent(wrong: str) -> None:
    """Of the sender and of the recipient, before a connection."""
    server = smtp.SmtpServer("smtp://mail.invalid:25")
    for mail in (Mail(wrong, "a@x.example", b""), Mail("a@x.example", wrong, b"")):
        with pytest.raises(Unsendable, match="address_invalid"):
            async with server.transaction(mail):
                raise AssertionError("nothing is said")


async def test_such_a_message_fails_with_its_word_and_is_not_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The intent closes the door behind it, as for everything that cannot be sent."""

    def refuse(_: Any) -> Any:
        raise Unsendable("header_invalid")

    world = World()
    monkeypatch.setattr(world.server, "transaction", refuse)
    await world.sending().on_event(message("e1"), 1)
    told = world.outcome()
    assert (told.type, told.open.reason) == ("message.failed", "header_invalid")
    assert world.server.taken == []
    assert await world.types() == ["notification.requested"]
