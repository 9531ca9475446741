"""`tellonce parked`: what operators see of parked work, and what is asked for on the bus."""

import json
from collections.abc import Callable

import pytest

from tests.embedded.responder import Responder

OK = b'{"ok":true,"events":[],"position":1}'
REFUSED = b'{"error":{"code":"parked.fails_again"}}'


def line(parked_id: str, sequence: int) -> dict[str, object]:
    return {
        "parked_id": parked_id,
        "sequence": sequence,
        "type": "message.received",
        "stream": "CONTACTS",
        "position": sequence,
        "raw": None,
        "error": "KeyError",
        "failures": 4,
        "parked": "2026-11-02T09:30:00Z",
    }


def page(following: str | None, *lines: dict[str, object]) -> bytes:
    return json.dumps({"position": 9, "count": 3, "next": following, "parked": lines}).encode()


A, B, C = (line(f"chan-chat-shop:{number}", number) for number in (5, 7, 6))


@pytest.fixture
def tool(
    nats_url: str, run: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    """The command line on a server without a stack."""
    monkeypatch.setenv("TELLONCE_NATS_URL", nats_url)
    return run


def test_what_is_parked_is_listed(nats_url: str, tool: Callable[..., tuple[int, str, str]]) -> None:
    """Every page of it: how many, and of each its id, what it is and how it failed."""
    with Responder(nats_url, "query.demo.parked", [page("n", A, B), page(None, C)]):
        code, out, _ = tool("parked", "list")
    assert code == 0
    assert out.splitlines()[0] == "3 parked"
    assert [each.split()[0] for each in out.splitlines()[1:]] == [
        f"chan-chat-shop:{number}" for number in (5, 7, 6)
    ]
    assert "chan-chat-shop:5  message.received  KeyError" in out


def test_all_that_is_parked_is_retried_in_the_order_of_the_ledger(
    nats_url: str, tool: Callable[..., tuple[int, str, str]]
) -> None:
    """Every page of it, one after another; the first that fails ends it, for those behind it may depend on it."""
    with (
        Responder(nats_url, "query.demo.parked", [page("n", A, B), page(None, C)]) as asked,
        Responder(nats_url, "cmd.demo.retry_parked", [OK, REFUSED]) as told,
    ):
        code, out, _ = tool("parked", "retry")
    assert code == 1
    assert [each.get("after") for each in asked.asked] == [None, "n"]
    assert [each["parked_id"] for each in told.asked] == ["chan-chat-shop:5", "chan-chat-shop:6"]
    assert "parked.fails_again" in out


def test_what_could_not_be_read_is_skipped_at_once_and_never_retried(
    nats_url: str, tool: Callable[..., tuple[int, str, str]]
) -> None:
    """An operator who looked at them all says so once; `retry` without ids passes over them."""
    unread = line("chan-form-contact:unread-8", 8)
    with (
        Responder(nats_url, "query.demo.parked", [page("n", unread), page(None, C)] * 2),
        Responder(nats_url, "cmd.demo.skip_parked", [OK]) as skipped,
        Responder(nats_url, "cmd.demo.retry_parked", [OK]) as retried,
    ):
        assert tool("parked", "skip", "--unread", "--reason", "looked at")[0] == 0
        code, _, told = tool("parked", "retry")
    assert (code, told) == (0, "1 of 2 parked\n")
    assert [each["parked_id"] for each in skipped.asked] == ["chan-form-contact:unread-8"]
    assert [each["parked_id"] for each in retried.asked] == ["chan-chat-shop:6"]
    with pytest.raises(SystemExit):
        tool("parked", "skip", "--reason", "of nothing")
    with pytest.raises(SystemExit):
        tool("parked", "skip", "chan-a-b:1", "--unread", "--reason", "of two kinds")


def test_what_is_given_up_has_a_reason(
    nats_url: str, tool: Callable[..., tuple[int, str, str]]
) -> None:
    """Each id that is named; without a reason nothing is."""
    with Responder(nats_url, "cmd.demo.skip_parked", [OK, OK]) as told:
        assert tool("parked", "skip", "chan-a-b:1", "chan-a-b:2", "--reason", "a test")[0] == 0
    assert [(each["parked_id"], each["reason"]) for each in told.asked] == [
        ("chan-a-b:1", "a test"),
        ("chan-a-b:2", "a test"),
    ]
    with pytest.raises(SystemExit):
        tool("parked", "skip", "chan-a-b:1")
