"""SMSAPI's API: it takes a message under an `idx` once, when it is told to check."""

from types import SimpleNamespace
from typing import cast

from deploy.story.providers import Provider
from deploy.story.providers.api import ApiAnswer, ApiRequest, Arrived

HOST = "api.smsapi.pl"
NOT_UNIQUE = {"error": 53, "message": "Not unique idx"}


def smsapi() -> dict[str, Provider]:
    """Return a provider that has taken nothing yet."""
    taken: set[str] = set()

    def answer(request: ApiRequest) -> ApiAnswer | None:
        said = request.content
        if request.path != "/sms.do":
            return None
        if request.headers.get("authorization") != "Bearer bearer":
            return ApiAnswer({"error": 101, "message": "Authorization failed"})
        if said["idx"] in taken and said.get("check_idx") == "1":
            return ApiAnswer(NOT_UNIQUE)
        taken.add(said["idx"])
        sent = {"id": f"6{request.number}", "status": "QUEUE", "error": None}
        arrived = Arrived("sms", said["to"], said["message"], sent["id"] or "", request)
        return ApiAnswer({"count": 1, "list": [sent]}, arrived=arrived)

    return {"sms": cast("Provider", SimpleNamespace(NAME="sms", HOSTS=(HOST,), answer=answer))}
