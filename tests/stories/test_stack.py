"""Which stack a story is played on, and what a running one must be for it."""

import asyncio
import contextlib
import os
import typing
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.embedded import state
from deploy.embedded.ports import free_ports
from deploy.story import stack as stacks
from deploy.story.errors import StoryInvalid, StoryStackUnusable
from deploy.story.file.model import Story
from deploy.story.file.reading import parse_story
from deploy.story.providers.mail_sink import mail_sink

HERE = Path(__file__).parent


def story(steps: str = "  - {kill: router}\n") -> Story:
    return parse_story(f"story: sample\nsteps:\n{steps}".encode(), HERE)


def running(folder: Path) -> stacks.Stack:
    return stacks.Stack(folder, own=False, environment=os.environ)


@contextlib.asynccontextmanager
async def ready_doors(port: int) -> AsyncIterator[None]:
    """Doors that say they are ready."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", port):
        yield


MAIL = story("  - {expect: mail, to: anna@mail.example}\n")


def test_a_folder_without_a_running_stack_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The story gets a stack of its own, also one that may restart it, and the player says so."""
    monkeypatch.setenv("TELLONCE_DATA", str(tmp_path))
    assert stacks.running_stack(story("  - {restart: all}\n"), None) is None
    (line,) = capsys.readouterr().out.splitlines()
    assert "the story gets one of its own" in line


def test_a_running_stack_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs while somebody holds its folder; a story that restarts machines is not for it."""
    monkeypatch.setenv("TELLONCE_DATA", str(tmp_path))
    with state.hold(tmp_path):
        found = stacks.running_stack(story(), None)
        assert found is not None
        assert (found.folder, found.own) == (tmp_path, False)
        with pytest.raises(StoryStackUnusable, match="unset TELLONCE_DATA"):
            stacks.running_stack(story("  - {restart: all}\n"), None)


async def test_a_stack_that_does_not_become_ready_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as a stack of our own would be, and then it is unusable; one that stops is not waited for."""
    monkeypatch.setattr(stacks, "START_SECONDS", 0.2)
    addresses = {"nats": "nats://127.0.0.1:4222"}
    with state.hold(tmp_path):
        for found in typing.get_args(state.State):
            state.write_status(tmp_path, state.Status(state=found, addresses=addresses))
            try:
                async with stacks.stack_for(story(), {}, running(tmp_path)):
                    taken = True
            except StoryStackUnusable:
                taken = False
            assert taken is (found == "ready")


def test_mail_boxes_listen_where_a_running_stack_sends_its_mail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stack of our own is told the place; a running one was told it by TELLONCE_SMTP_URL."""
    monkeypatch.setenv("TELLONCE_SMTP_URL", "smtp://127.0.0.1:2525")
    assert stacks.mail_boxes_place(MAIL, None) == ("127.0.0.1", 0)
    assert stacks.mail_boxes_place(story(), running(tmp_path)) == ("127.0.0.1", 0)
    assert stacks.mail_boxes_place(MAIL, running(tmp_path)) == ("127.0.0.1", 2525)


@pytest.mark.parametrize("url", ["", "smtp://127.0.0.1", "smtps://127.0.0.1:2525", "smtp://a:b"])
def test_mail_that_cannot_arrive_is_refused(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is played, with a word on how to mend it."""
    monkeypatch.setenv("TELLONCE_SMTP_URL", url)
    with pytest.raises(StoryStackUnusable, match="TELLONCE_SMTP_URL=smtp://"):
        stacks.mail_boxes_place(MAIL, running(tmp_path))


MESSAGES = story("  - {expect: message, by: form}\n")
REPORTED = story("  - {receipt: form/contact, says: read}\n")


@pytest.mark.parametrize("expecting", [MESSAGES, REPORTED], ids=["message", "receipt"])
def test_providers_listen_where_a_running_stack_sends_its_messages(
    expecting: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the mail boxes do, by TELLONCE_PROVIDERS_URL."""
    monkeypatch.setenv("TELLONCE_PROVIDERS_URL", "http://127.0.0.1:8025")
    assert stacks.providers_place(expecting, None) == ("127.0.0.1", 0)
    assert stacks.providers_place(MAIL, running(tmp_path)) == ("127.0.0.1", 0)
    assert stacks.providers_place(expecting, running(tmp_path)) == ("127.0.0.1", 8025)
    monkeypatch.setenv("TELLONCE_PROVIDERS_URL", "https://gateway.example")
    with pytest.raises(StoryStackUnusable, match="TELLONCE_PROVIDERS_URL=http://"):
        stacks.providers_place(expecting, running(tmp_path))


async def test_a_stack_elsewhere_is_played_when_its_doors_are_ready(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is known of its machines: the settings say where the bus is, and nothing there is killed."""
    monkeypatch.setattr(stacks, "START_SECONDS", 0.2)
    monkeypatch.setenv("TELLONCE_NATS_URL", "tls://nats.example:4222")
    (port,) = free_ports(1)
    found = stacks.running_stack(story(), f"http://127.0.0.1:{port}/")
    assert found is not None
    assert found.addresses["nats"] == "tls://nats.example:4222"
    assert found.door("demo", "form/contact").url == f"http://127.0.0.1:{port}/in/demo/form/contact"
    with pytest.raises(StoryInvalid, match="nothing can be killed"):
        await found.kill("router")
    with pytest.raises(StoryStackUnusable, match="doors are not ready"):
        await found.start()
    async with ready_doors(port):
        await found.start()


def test_a_stack_elsewhere_is_not_changed() -> None:
    """As any running one."""
    with pytest.raises(StoryStackUnusable, match="leave --against out"):
        stacks.running_stack(story("  - {restart: all}\n"), "http://127.0.0.1:1")


async def test_mail_boxes_need_a_place_that_is_free() -> None:
    """Where another server listens already no mail could be read."""
    (port,) = free_ports(1)
    async with mail_sink("127.0.0.1", port) as sink:
        assert sink.url == f"smtp://127.0.0.1:{port}"
        with pytest.raises(StoryStackUnusable, match="cannot listen"):
            async with mail_sink("127.0.0.1", port):
                pass
