"""What the tests of messages by the Graph API share."""

from typing import Any

import msgspec

from services.notify.channels import CHANNELS
from services.notify.domain.messages import SendingSettings, customer_message
from services.notify.domain.web import HttpAnswer, HttpRequest
from shared.policy import Account
from tests.notify.samples import NOW, message

AROUND = SendingSettings(secrets={"TOKEN": "EAAB-token"})


def rendered(
    channel: str, to: str, own: str, *, api: str | None = None, **said: Any
) -> HttpRequest:
    """The request that an agent's message becomes. `own`: the account's address."""
    account = Account(
        queue="hotline", address=own, reaches="account", secrets={"token": "TOKEN"}, api=api
    )
    event = message("e1", to=to, channel=channel, account="main", **said)
    file = CHANNELS[channel]
    request = file.render(customer_message(event, account, file.address, AROUND), NOW)
    assert isinstance(request, HttpRequest)
    return request


def content(request: HttpRequest) -> Any:
    return msgspec.json.decode(request.body)


def answered(status: int, said: Any) -> HttpAnswer:
    return HttpAnswer(status=status, body=msgspec.json.encode(said))


def refused(code: int, subcode: int | None = None, status: int = 400) -> HttpAnswer:
    """An error as the Graph API answers it."""
    error = {"message": "no", "type": "OAuthException", "code": code, "error_subcode": subcode}
    return answered(status, {"error": error})
