"""`tellonce import`: what cannot be imported is refused with a code; the rest is stored once, however often."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy.embedded.stack import EmbeddedStack, Plan

POLICY = """\
tenant: demo
queues: {hotline: {title: Hotline}}
agents: {}
accounts:
  livechat/one: {queue: hotline}
  livechat/two: {queue: hotline}
  smartsupp/shop: {queue: hotline}
"""


def export(*numbers: int) -> str:
    said = {"id": "e1", "type": "message", "author_id": "c", "text": "Hello"}
    threads = [{"id": f"T{number}", "events": [said]} for number in numbers]
    return json.dumps({"chats": [{"id": "C", "thread": each} for each in threads]})


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return path


async def imported(data: Path, policy: Path, *arguments: str) -> tuple[int | None, Any, str]:
    tool = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.cli.main", "import", *arguments),
        *("--data", str(data), "--tenant-policy", str(policy)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, told = await asyncio.wait_for(tool.communicate(), 60)
    return tool.returncode, json.loads(out or "null"), told.decode()


@pytest.mark.parametrize(
    ("channel", "content", "account", "code"),
    [
        ("email", export(1), None, "door.account_unknown"),
        ("livechat", export(1), None, "door.account_unknown"),
        ("livechat", export(1), "three", "door.account_unknown"),
        ("livechat", "Chat ID,Name\n1,Anna\n", "one", "payload.unreadable"),
        ("livechat", "[]", "one", "payload.unreadable"),
        ("livechat", None, "one", "payload.unreadable"),
    ],
)
async def test_what_cannot_be_imported_is_refused(
    data: Path, policy: Path, channel: str, content: str | None, account: str | None, code: str
) -> None:
    """A channel without a history, an account that is not meant alone, a file that is none: each with its code."""
    file = policy.with_name("page.json")
    if content is not None:
        file.write_text(content)
    chosen = [] if account is None else ["--account", account]
    status, told, said = await imported(data, policy, channel, str(file), *chosen)
    assert (status, told["error"]["code"]) == (1, code)
    assert ("there are: livechat, " in said) == (channel == "email")


async def test_a_channel_that_has_no_account_is_named(data: Path, policy: Path) -> None:
    """Nobody is asked to choose among none."""
    policy.write_text(POLICY.replace("smartsupp/shop", "email/shop"))
    status, told, _ = await imported(data, policy, "smartsupp", str(policy))
    assert (status, told["error"]["details"]) == (1, {"channel": "smartsupp"})


async def test_an_import_says_how_far_it_is_and_stores_once(data: Path, policy: Path) -> None:
    """Files in another order, a talk in two of them: the same import, of which nothing is lacking."""
    pages = [policy.with_name(name) for name in ("a.json", "b.json")]
    pages[0].write_text(export(1, 2))
    pages[1].write_text(export(2, 3) + "\n" + export(4))
    files = [str(page) for page in pages]
    async with EmbeddedStack(Plan(folder=data, services={})):
        chosen = ("--account", "livechat/two")
        status, told, progress = await imported(data, policy, "livechat", *files, *chosen)
        expected = {"account": "livechat/two", "talks": 4, "stored": 4, "known": 0}
        assert (status, told) == (0, expected)
        assert progress.splitlines()[0] == "0 of 4"
        assert progress.splitlines()[-1] == "4 of 4"
        again = await imported(data, policy, "livechat", *reversed(files), *chosen)
        assert again[:2] == (0, {**expected, "stored": 0, "known": 4})
    assert (await imported(data, policy, "livechat", *files, *chosen))[0] == 2
