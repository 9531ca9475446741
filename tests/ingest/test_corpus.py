"""Payloads that others wrote, where they are: TELLONCE_CORPUS names their folder, with one folder per channel in it."""

import os
from pathlib import Path

import msgspec
import pytest

from deploy.cli import channels
from services.ingest.channels import CHANNELS

CORPUS = os.environ.get("TELLONCE_CORPUS")
FOLDERS = {
    "site": "web",
    "asterisk": "phone",
    "twilio_voice": "phone",
    "livechat": "chat",
    "smartsupp": "chat",
    "chat": "widget",
}
"""Where a channel's payloads lie, if not in a folder of its name."""
MARKS = {"twilio_voice": b"CallSid", "smartsupp": b"smartsupp"}
"""What tells a channel's payloads from those of the other one of its folder."""
READ_SHARE = 0.95
"""Of the payloads that are some at all; what is quarantined cost a customer's words."""

pytestmark = pytest.mark.skipif(
    not CORPUS, reason="TELLONCE_CORPUS names no folder of payloads that others wrote"
)


def files_of(channel: str) -> list[Path]:
    """The channel's files; of a folder of two channels those with its mark, or without the other's."""
    folder = FOLDERS.get(channel, channel)
    others = [MARKS[name] for name, its in FOLDERS.items() if its == folder and name in MARKS]
    paths = sorted(path for path in (Path(CORPUS or "") / folder).rglob("*") if path.is_file())
    return [path for path in paths if _is_of(channel, path.read_bytes(), others)]


def _is_of(channel: str, content: bytes, marks: list[bytes]) -> bool:
    """Tell whose a file of a shared folder is."""
    if channel in MARKS:
        return MARKS[channel] in content
    return not any(mark in content for mark in marks)


@pytest.mark.parametrize("channel", sorted(CHANNELS))
def test_every_payload_of_others_is_accounted_for(
    channel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No file makes a channel fail, each has its line, and all but a few are read."""
    failures: list[str] = []
    monkeypatch.setattr("traceback.print_exc", lambda: failures.append("failed"))
    paths = files_of(channel)
    if not paths:
        pytest.skip(f"the corpus has no payloads of {channel}")
    lines = [channels.line_of(channel, str(path), path.read_bytes()) for path in paths]
    assert failures == []
    assert [line.file for line in lines] == [str(path) for path in paths]
    counted = channels.summary(channel, lines)
    assert counted["accepted"] + counted["ignored"] + counted["quarantined"] == len(paths)
    unread = counted["quarantined"] - counted["not_an_event"]
    assert unread <= 1 or counted["read_share"] >= READ_SHARE, [
        (line.file, line.code, line.reason) for line in lines if line.outcome == "quarantined"
    ]


@pytest.mark.parametrize("channel", sorted(CHANNELS))
def test_reading_a_payload_again_says_the_same(channel: str) -> None:
    """Nothing of a line comes from a clock or from chance."""
    for path in files_of(channel)[:100]:
        first, again = (
            msgspec.json.encode(channels.line_of(channel, path.name, path.read_bytes()))
            for _ in range(2)
        )
        assert first == again
