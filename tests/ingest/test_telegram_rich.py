"""Rich messages of Telegram, links behind words, and what a message answers.

The payloads are written from core.telegram.org/bots/api, read 2026-11.
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.channels import telegram
from services.ingest.channels.shapes import telegram_rich
from services.ingest.domain.outcome import Ignored
from tests.ingest.running_ingest import GOLDEN, parsed, raw
from tests.ingest.test_telegram import GROUP, PRIVATE, message, one, update

RICH = "My order | It is ORD-1234👍 | Size - Colour | XL - red | What I want | 1. send it | soon | 2. call me | More"
TOLD = RICH.replace(" | ", "\n").replace(" - ", " | ").split("\n")
BELOW = ["as you said", "Shop", "2+2", "Yes | No", "the label", "Anna"]


def test_a_rich_message_is_told_in_plain_words() -> None:
    """A line for each of its blocks, a row in one; of a picture its largest size; the part that it answers."""
    (event,) = parsed(raw("telegram", (GOLDEN / "telegram_rich.json").read_bytes()))
    assert event.personal.text.split("\n") == [*TOLD, *BELOW]
    assert event.personal.quoted == "which size"
    assert [(each.source, each.media_type) for each in event.personal.files] == [
        ("rich-large", "image/jpeg"),
        ("rich-voice", "audio/ogg"),
    ]
    assert event.open.attachments == 2


def test_blocks_within_blocks_without_end_are_read_in_bounds() -> None:
    """What lies deeper than anybody writes stays in RAW."""
    block: dict[str, Any] = {"type": "paragraph", "text": "deep"}
    text: Any = "deep"
    for _ in range(200):
        block = {"type": "blockquote", "blocks": [block]}
        text = {"type": "bold", "text": text}
    assert telegram_rich.lines({"blocks": [block, {"text": text}, {"text": "near"}]}) == ["near"]
    assert len(list(telegram_rich.media({"blocks": [block]}))) == telegram_rich.DEPTH_MAX


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                (
                    "text",
                    "blocks",
                    "items",
                    "cells",
                    "buttons",
                    "caption",
                    "photo",
                    "button",
                    "summary",
                )
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=20,
)


@given(ODD)
def test_any_value_in_its_blocks_is_survived(blocks: Any) -> None:
    """Nothing in it makes the reader fail."""
    one("message", message(rich_message={"blocks": blocks}))


LINK = {"type": "text_link", "offset": 0, "length": 4, "url": "https://shop.example/o/1234"}
SHOWN = {"type": "text_link", "offset": 0, "length": 4, "url": "https://shop.example/"}


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"text": "this order", "entities": [LINK, LINK]}, f"this order\n{LINK['url']}"),
        ({"caption": "this", "caption_entities": [LINK]}, f"this\n{LINK['url']}"),
        ({"text": "https://shop.example", "entities": [SHOWN]}, "https://shop.example"),
        ({"text": "bold", "entities": [{"type": "bold", "offset": 0, "length": 4}]}, "bold"),
        ({"text": "odd", "entities": [7, {"type": "text_link"}]}, "odd"),
    ],
)
def test_an_address_behind_words_stands_below_them(fields: dict[str, Any], text: str) -> None:
    """Once, and only where the words do not show it."""
    assert one("message", message(**fields)).personal.text == text


def test_a_new_version_is_named_by_what_was_written() -> None:
    """And not by what we make of it: read anew some day, it is the same fact."""
    written = message(text="this order", edit_date=1_795_339_900)
    plain, linked = (
        one("edited_message", {**written, **more}) for more in ({}, {"entities": [LINK]})
    )
    assert plain.id == linked.id
    assert plain.personal.text != linked.personal.text


ANSWERED = {"message_id": 3, "chat": PRIVATE, "date": 1, "caption": "The red one?", "photo": []}
ELSEWHERE = {
    "chat": GROUP,
    "message_id": 8,
    "origin": {"type": "channel"},
    "poll": {"question": "When?"},
}


@pytest.mark.parametrize(
    ("fields", "quoted"),
    [
        ({"reply_to_message": ANSWERED}, "The red one?"),
        ({"reply_to_message": ANSWERED, "quote": {"text": "red"}}, "red"),
        ({"external_reply": ELSEWHERE}, "When?"),
        ({"external_reply": {"origin": {"type": "user"}}}, None),
        ({}, None),
    ],
)
def test_what_it_answers_is_said(fields: dict[str, Any], quoted: str | None) -> None:
    """The part that she chose, else the whole message, of this chat or of another."""
    assert one("message", message(text="Yes", **fields)).personal.quoted == quoted


@pytest.mark.parametrize("done", ["added", "joined", "removed"])
def test_a_community_is_nobodys_word(done: str) -> None:
    """That a chat belongs to one now is no request."""
    body = update("message", message(**{f"community_chat_{done}": {"community": {"id": 1}}}))
    assert telegram.parse(raw("telegram", body)) == Ignored(f"community_chat_{done}")
