"""What a story's people say is found in a log, however it is written there; `played.play` looks into every log."""

import json
from pathlib import Path

import pytest

from tests.stories.files import HERE
from tests.stories.personal import personal_in, told_in

STORY = """
story: told
policy: {accounts: {sms/shop: {address: "+48732000111"}}}
steps:
  - as: service:shop
    do: register_customer
    with: {name: Ząb Łucja, handles: [{kind: phone, value: "+48601234567"}]}
  - together:
    - {door: form/contact, body: {email: l.zab@mail.example, to: "+48732000111", text: "the locker will not open"}}
  - {expect: timeline, has: [what nobody said here]}
"""
PERSONAL = {
    *("Ząb Łucja", "48601234567", "l.zab@mail.example"),
    *("the locker will", "locker will not", "will not open"),
}


@pytest.fixture
def story(tmp_path: Path) -> Path:
    """A story with all kinds of what is personal."""
    path = tmp_path / "told.yaml"
    path.write_text(STORY)
    return path


def test_what_people_bring_is_personal(story: Path) -> None:
    """Names, numbers, addresses and words, at any depth; not what is expected, nor what is the shop's own."""
    assert personal_in(story) == PERSONAL


def test_the_demo_has_something_to_look_for() -> None:
    """A scan for nothing would find nothing."""
    found = personal_in(HERE / "parcel_locker.yaml")
    assert {"Anna Nowak", "48601234567", "520000012580041086770098"} <= found


@pytest.mark.parametrize("said", sorted(PERSONAL))
def test_what_is_personal_is_found_in_a_log(story: Path, tmp_path: Path, said: str) -> None:
    """In JSON with its letters escaped, in plain text, in a log that was moved aside."""
    logs = tmp_path / "data" / "logs"
    logs.mkdir(parents=True)
    (logs / "nats.log").write_text("[1] server is ready 486012345670 Ząb\n")
    assert told_in(tmp_path / "data", personal_in(story)) == []
    (logs / "router.log").write_text(json.dumps({"event": "lost", "text": f"<{said}>"}) + "\n")
    (logs / "postgres.log.1").write_text(f"DETAIL: ({said})\n")
    assert len(told_in(tmp_path / "data", personal_in(story))) == 2
