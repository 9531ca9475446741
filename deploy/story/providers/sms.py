"""Plays Twilio's webhooks of messages, and its API that takes them: what it took, it reports by its id.

Source: Twilio, "Messages resource", "Create a Message", read 2026-11.
"""

import re
from collections.abc import Mapping
from typing import Any

from deploy.story.file.model import Says
from deploy.story.providers.api import ApiAnswer, ApiRequest, Arrived
from deploy.story.providers.twilio import MEDIA_TYPE, body, sign

__all__ = ["HAS_SOCKET", "HOSTS", "MEDIA_TYPE", "NAME", "answer", "body", "receipt", "sign"]

NAME = "sms"
HAS_SOCKET = False
HOSTS = ("api.twilio.com",)
UNREACHABLE = "30003"
"""The error of a report that a message failed."""

_MESSAGES = re.compile(r"/2010-04-01/Accounts/([^/]+)/Messages\.json\Z")


def answer(request: ApiRequest) -> ApiAnswer | None:
    """Return that a message was taken, or which parameter it lacks."""
    called = _MESSAGES.match(request.path)
    if called is None or request.method != "POST":
        return None
    said = request.content
    if not request.headers.get("authorization", "").startswith("Basic "):
        return ApiAnswer({"code": 20003, "status": 401, "message": "Authenticate"}, 401)
    if not said.get("To"):
        return ApiAnswer({"code": 21604, "status": 400, "message": "no To"}, 400)
    if not (said.get("From") or said.get("MessagingServiceSid")):
        return ApiAnswer({"code": 21603, "status": 400, "message": "no From"}, 400)
    sid = f"SM{request.number:032x}"
    arrived = Arrived(NAME, said["To"], said.get("Body", ""), sid, request)
    return ApiAnswer({**_taken(said), "account_sid": called[1], "sid": sid}, 201, arrived)


def _taken(said: Mapping[str, str]) -> dict[str, Any]:
    return {
        "to": said["To"],
        "from": said.get("From"),
        "body": said.get("Body", ""),
        "direction": "outbound-api",
        "status": "queued" if said.get("From") else "accepted",
        "error_code": None,
    }


def receipt(arrived: Arrived, says: Says) -> Any:
    """Return the parameters of a status callback."""
    status = "undelivered" if says == "failed" else says
    told = {"MessageSid": arrived.provider_id, "SmsSid": arrived.provider_id, "To": arrived.to}
    failed = {"ErrorCode": UNREACHABLE} if says == "failed" else {}
    return {**told, "MessageStatus": status, **failed}
