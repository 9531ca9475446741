"""A delivery that is nested deeply is unreadable for the channel itself, wherever it is called from."""

import json
from collections.abc import Iterator

import msgspec
import pytest

from services.ingest.channels import CHANNELS
from services.ingest.channels.shapes import graph_webhooks
from services.ingest.domain import outcome
from services.ingest.domain.outcome import Quarantined
from shared import strict
from tests.ingest.running_ingest import raw

DEPTHS = (64, 200, 600, *range(850, 1_010, 3), 5_000, 100_000)
"""Around a thousand levels it depends on who calls whether Python's limit is met while reading, or only afterwards."""


AROUND = (
    '{"entry":[{"changes":[{"field":"user_preferences","value":{"user_preferences":[{"wa_id":"48","x":@}]}}]}]}',
    '{"object":"page","entry":[{"id":"1","messaging":[{"sender":{"id":"7"},"postback":{"title":"x","payload":@}}]}]}',
    '{"update_id":1,"message":{"message_id":1,"chat":{"id":7,"type":"private"},"text":@}}',
    '{"session":"s","id":@,"text":"x"}',
    '{"type":"track","event":"x","anonymousId":"a","properties":@}',
    '{"type":"StasisStart","channel":@}',
    '{"name":"x","message":@}',
    "@",
)
"""What stands around something deep where a channel looks on, or makes a hash of it."""
FLOW = (
    '{"entry":[{"changes":[{"field":"messages","value":{"messages":[{"id":"w1","from":"48601234567",'
    '"type":"interactive","interactive":{"type":"nfm_reply","nfm_reply":{"response_json":@}}}]}}]}]}'
)
"""A text in it is JSON again."""


def nested(depth: int) -> Iterator[str]:
    """Give deliveries that hold something this deep."""
    deep = '{"a":' * depth + "1" + "}" * depth
    for inner in (deep, "[" * depth + "]" * depth):
        yield from (each.replace("@", inner) for each in AROUND)
        yield FLOW.replace("@", json.dumps(inner))


@pytest.mark.parametrize("channel", CHANNELS)
def test_no_depth_ends_a_channel(channel: str) -> None:
    """It gives an outcome, and the same at every depth from the bound on."""
    told: dict[int, set[str]] = {}
    for depth in DEPTHS:
        for number, body in enumerate(nested(depth)):
            delivery = raw(channel, body.encode(), headers=[("content-type", "application/json")])
            found = CHANNELS[channel].parse(delivery)
            outcome.reports_of(delivery, found)
            if depth > strict.DEPTH_MAX:
                told.setdefault(number, set()).add(type(found).__name__)
    assert all(len(kinds) == 1 for kinds in told.values()), told


@pytest.mark.parametrize("channel", ["messenger", "telegram", "viber", "chat", "asterisk", "sms"])
def test_what_is_nested_too_deeply_is_unreadable(channel: str) -> None:
    """One level more than the bound, and any number."""
    for depth in (strict.DEPTH_MAX + 1, 990):
        body = ('{"a":' * depth + "1" + "}" * depth).encode()
        found = CHANNELS[channel].parse(raw(channel, body))
        assert isinstance(found, Quarantined)
        assert found.code == "payload.unreadable"


def test_brackets_in_a_text_are_no_levels() -> None:
    """Nor are those of things that stand side by side, or behind a quotation mark within a text."""
    text = '"' + '[{\\"' * 400 + '"'
    flat = "[" + ",".join(["[]"] * 400) + "]"
    fits = "[" * strict.DEPTH_MAX + "]" * strict.DEPTH_MAX
    for body in (text, f"[{text},{text}]", flat, fits, f"[{text},{flat}]"):
        strict.check_depth(body.encode())
        assert graph_webhooks.read(body.encode()) == json.loads(body)
    with pytest.raises(msgspec.DecodeError):
        strict.check_depth(f"[{text},{fits}]".encode())
