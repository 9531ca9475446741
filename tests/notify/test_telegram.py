"""What an agent's message becomes at Telegram, and what its answers mean."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from deploy.embedded.ports import LOOPBACK
from services.notify.carriers.http import HttpCarrier
from services.notify.channels import telegram
from services.notify.domain.messages import SendingSettings, Unsendable, customer_message
from services.notify.domain.outcomes import Outcome
from services.notify.domain.web import HttpAnswer, HttpRequest
from shared.policy import Account
from tests.notify.samples import NOW, message

TOKEN = "7:abc-DEF"
SHOP = Account(
    queue="hotline",
    address="telegram:7000000001",
    reaches="account",
    secrets={"token": "BOT_TOKEN"},
)


def render(account: Account = SHOP, *, to: str = "telegram:61", **given: Any) -> HttpRequest:
    event = message("e1", to=to, channel="telegram", **given)
    around = SendingSettings(secrets={"BOT_TOKEN": TOKEN})
    return telegram.render(customer_message(event, account, telegram.address, around), NOW)


def content(request: HttpRequest) -> Any:
    return msgspec.json.decode(request.body)


def answer(status: int, **told: Any) -> Outcome:
    return telegram.outcome(HttpAnswer(status=status, body=msgspec.json.encode(told)))


def test_a_message_is_one_call_of_send_message() -> None:
    """To the chat, word for word, under the bot's token."""
    request = render(text="Zażółć\n<b>")
    assert (request.method, request.url) == (
        "POST",
        "https://api.telegram.org/bot7:abc-DEF/sendMessage",
    )
    assert request.headers == {"content-type": "application/json"}
    assert content(request) == {"chat_id": 61, "text": "Zażółć\n<b>"}


def test_another_server_of_the_api_may_be_asked() -> None:
    """A shop may run the Bot API's server itself."""
    own = msgspec.structs.replace(SHOP, api="http://bots.shop.example/")
    assert render(own).url == "http://bots.shop.example/bot7:abc-DEF/sendMessage"


def test_an_answer_names_what_it_answers_where_that_stands() -> None:
    """A message of this chat, and of no other; one that is gone stops nothing."""
    for answered in ("61/1187", "conn-1/61/1187"):
        assert content(render(in_reply_to=answered))["reply_parameters"] == {
            "message_id": 1187,
            "allow_sending_without_reply": True,
        }
    for other in ("62/1187", "61/x", "1187", "<a@mail.example>"):
        assert "reply_parameters" not in content(render(in_reply_to=other))


def test_an_account_may_write_in_the_name_of_a_business() -> None:
    """Its address names the connection; that of a customer names none."""
    business = msgspec.structs.replace(SHOP, address="telegram:business/conn-1")
    assert content(render(business))["business_connection_id"] == "conn-1"
    with pytest.raises(Unsendable, match="address_invalid"):
        render(to="telegram:business/conn-1")


def test_a_group_is_written_to_by_its_number() -> None:
    """Groups have negative ones."""
    assert content(render(to="telegram:-100123"))["chat_id"] == -100123


@pytest.mark.parametrize(
    "to", ["viber:61", "anna@shop.example", "telegram:", "61\n", "telegram:٦١", "9" * 19]
)
def test_another_address_is_refused(to: str) -> None:
    """Nothing of another channel is written to."""
    assert telegram.address(to) is None


def test_a_text_is_measured_as_telegram_does() -> None:
    """In UTF-16: an emoji counts twice. What is too long does not leave."""
    for text in ("ż" * 4_096, "🎲" * 2_048):
        assert content(render(text=text))["text"] == text
    for text in ("ż" * 4_097, "🎲" * 2_049):
        with pytest.raises(Unsendable, match="text_too_long"):
            render(text=text)


def test_without_a_token_nothing_leaves() -> None:
    """The message fails with a word that says so."""
    with pytest.raises(Unsendable, match="secret_missing"):
        render(msgspec.structs.replace(SHOP, secrets={}))


def test_what_was_sent_is_known_by_chat_and_number() -> None:
    """As her answer will name it; in a business chat with its connection."""
    sent = {"message_id": 1188, "chat": {"id": 61}, "date": 1}
    assert answer(200, ok=True, result=sent) == Outcome(kind="sent", provider_id="61/1188")
    business = {**sent, "business_connection_id": "conn-1"}
    assert answer(200, ok=True, result=business).provider_id == "conn-1/61/1188"
    assert answer(200, ok=True, result=True) == Outcome(kind="sent")


@pytest.mark.parametrize(
    ("status", "description", "reason"),
    [
        (403, "Forbidden: bot was blocked by the user", "blocked"),
        (403, "Forbidden: user is deactivated", "deactivated"),
        (403, "Forbidden: bot can't initiate conversation with a user", "not_started"),
        (403, "Forbidden: bot was kicked from the supergroup chat", "kicked"),
        (403, "Forbidden: something new", "forbidden"),
        (400, "Bad Request: chat not found", "chat_unknown"),
        (400, "Bad Request: message is too long", "text_too_long"),
        (400, "Bad Request: group chat was upgraded to a supergroup chat", "chat_moved"),
        (400, "Bad Request: BUSINESS_CONNECTION_INVALID", "connection_invalid"),
        (400, "Bad Request: something new", "request_refused"),
        (401, "Unauthorized", "token_invalid"),
        (404, "Not Found", "token_invalid"),
    ],
)
def test_a_refusal_says_why(status: int, description: str, reason: str) -> None:
    """By what its description says, else by its status; none is tried again."""
    refused = answer(status, ok=False, error_code=status, description=description)
    assert refused == Outcome(kind="failed", reason=reason)


def test_too_many_requests_are_a_refusal_for_now() -> None:
    """It was not sent; a later one may be."""
    told = {"description": "Too Many Requests: retry after 3", "parameters": {"retry_after": 3}}
    refused = Outcome(kind="failed", reason="too_many_requests", temporary=True)
    assert answer(429, ok=False, **told) == refused


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (502, b"<html>Bad Gateway</html>"),
        (500, b'{"ok":false}'),
        (200, b""),
        (200, b"[1]"),
        (409, b"{}"),
    ],
)
def test_another_answer_is_a_doubt(status: int, body: bytes) -> None:
    """Nobody knows whether it was sent, and it is not sent again."""
    found = telegram.outcome(HttpAnswer(status=status, body=body))
    assert found == Outcome(kind="uncertain", reason=f"http_{status}")


# -- the provider's rate ------------------------------------------------------------------------------


class Throttling:
    """Plays the Bot API: it has taken as many as it takes in a second, and says of the next one when to come again."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.refused = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        fields = [line.partition(b":") for line in head.lower().splitlines()]
        length = next(int(value) for name, _, value in fields if name == b"content-length")
        told = msgspec.json.decode(await reader.readexactly(length))
        status, extra, body = self._answer(told)
        sent = msgspec.json.encode(body)
        writer.write(
            f"HTTP/1.1 {status}\r\n{extra}content-length: {len(sent)}\r\n\r\n".encode() + sent
        )
        await writer.drain()
        writer.close()

    def _answer(self, told: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
        if len(self.taken) == telegram.MESSAGES_PER_CHAT_AND_SECOND and not self.refused:
            self.refused += 1
            return "429 Too Many Requests", "retry-after: 1\r\n", {"ok": False, "error_code": 429}
        self.taken.append(told["text"])
        result = {"message_id": len(self.taken), "chat": {"id": told["chat_id"]}}
        return "200 OK", "", {"ok": True, "result": result}


@asynccontextmanager
async def throttling() -> AsyncIterator[tuple[Throttling, str]]:
    played = Throttling()
    server = await asyncio.start_server(played.serve, LOOPBACK, 0)
    async with server:
        yield played, f"http://{LOOPBACK}:{server.sockets[0].getsockname()[1]}"


async def test_what_comes_too_fast_leaves_a_second_later_and_once() -> None:
    """Two messages at once to one chat: the second is asked again when the provider says so."""
    async with throttling() as (played, api):
        account = msgspec.structs.replace(SHOP, api=api)
        found = []
        for text in ("one", "two"):
            request = render(account, text=text)
            async with HttpCarrier().transaction(request) as transaction:
                found.append(telegram.outcome(await transaction.commit()))
                if found[-1].temporary:
                    assert await transaction.again(0.0)
                    found.append(telegram.outcome(await transaction.commit()))
    later = Outcome(kind="failed", reason="too_many_requests", temporary=True)
    sent = [Outcome(kind="sent", provider_id=f"61/{k}") for k in (1, 2)]
    assert found == [sent[0], later, sent[1]]
    assert played.taken == ["one", "two"]
    assert played.refused == 1
