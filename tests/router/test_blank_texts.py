"""Blanks alone say nothing: a reason that nobody can read is none."""

from typing import Any

import pytest

from tests.router.in_memory_router import InMemoryRouter
from tests.router.samples import call

SAID: dict[str, dict[str, Any]] = {
    "close_callback": {"callback_id": "c1", "reason": "{}"},
    "wrap_up": {"disposition": "solved", "summary": "{}"},
    "record_fact": {"fact": "colour", "value": "{}"},
    "send_message": {"channel": "sms", "text": "{}"},
    "transfer": {"to": {"queue": "warehouse"}, "kind": "warm", "brief": "{}"},
}


@pytest.mark.parametrize("blank", ["", " ", "\t\n", "\u3000"])
@pytest.mark.parametrize("verb", SAID)
async def test_blanks_alone_say_nothing(router: InMemoryRouter, verb: str, blank: str) -> None:
    """Neither to a colleague nor to the customer, nor to whoever looks at the record later."""
    conversation = await router.owned_by("ewa", call("started"))
    fields = {name: blank if said == "{}" else said for name, said in SAID[verb].items()}
    refused = await router.refused("ewa", verb, conversation=conversation, **fields)
    assert refused == "command.unreadable"
