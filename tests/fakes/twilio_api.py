"""Twilio's API with a list of what it took: it can be asked, on a good day and on a bad one."""

from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from typing_extensions import override

from deploy.story.providers import PROVIDERS
from deploy.story.providers.api import ApiAnswer, ApiRequest, Arrived
from deploy.story.providers.api_server import written
from tests.fakes.faulty_api import Fault, FaultyApi

SMS = {"sms": PROVIDERS["sms"]}


class TwilioApi(FaultyApi):
    """Lists what it took, newest first; only what is sent meets faults. `at`: the time at which it took all."""

    def __init__(self, at: datetime, seed: int = 1, shares: Mapping[Fault, float] | None = None):
        super().__init__(SMS, seed, shares or {})
        self._at = at

    @override
    async def reply(self, request: ApiRequest) -> bytes:
        if request.method == "GET":
            return self._listed(request)
        return await super().reply(request)

    def _listed(self, request: ApiRequest) -> bytes:
        asked = parse_qs(urlsplit(request.path).query)
        taken = [each for each in reversed(self.arrived) if [each.to] == asked["To"]]
        page = taken[: int(asked["PageSize"][0])]
        return written(ApiAnswer({"messages": [listed(each, self._at) for each in page]}))


def listed(arrived: Arrived, at: datetime) -> dict[str, Any]:
    """Return a message as the list has it: of what names it at us, only the account's own number and the words."""
    said = arrived.request.content
    return {
        "sid": arrived.provider_id,
        "to": arrived.to,
        "from": said.get("From"),
        "messaging_service_sid": said.get("MessagingServiceSid"),
        "body": arrived.text,
        "direction": "outbound-api",
        "status": "delivered",
        "error_code": None,
        "date_created": format_datetime(at),
    }
