"""`tellonce cmd` and `tellonce query`: what is sent, what is printed, how it ends."""

import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.embedded.responder import Responder


def test_a_command_is_completed_and_its_reply_printed(
    nats_url: str,
    run: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Id, time and actor are filled in; what the caller gave stands."""
    monkeypatch.setenv("TELLONCE_NATS_URL", nats_url)
    with Responder(nats_url, "cmd.shop1.sign_in", [b'{"ok":true}', b'{"ok":true}']) as responder:
        first = run("cmd", "sign_in", '{"agent":"ewa"}', "--tenant", "shop1")
        given = '{"command_id":"mine","actor":"agent:ewa","issued_at":"2026-01-02T03:04:05Z"}'
        assert run("cmd", "sign_in", given, "--tenant", "shop1")[0] == 0
    assert first[:2] == (0, '{"ok": true}\n')
    filled, kept = responder.asked
    assert filled["agent"] == "ewa"
    assert filled["actor"] == "service:cli"
    assert str(filled["issued_at"]).endswith("Z")
    assert filled["command_id"]
    assert kept == json.loads(given)


def test_a_refusal_is_printed_and_ends_with_1(
    nats_url: str,
    run: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The reply's code stays on standard output for programs to read."""
    monkeypatch.setenv("TELLONCE_NATS_URL", nats_url)
    with Responder(nats_url, "query.demo.customer", [b'{"error":{"code":"customer.unknown"}}']):
        code, out, _ = run("query", "customer", '{"customer":"nobody"}')
    assert code == 1
    assert json.loads(out)["error"]["code"] == "customer.unknown"


def test_a_page_says_of_how_many_it_is_one(
    nats_url: str,
    run: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The answer stays as it is on standard output; the others are told of on standard error."""
    monkeypatch.setenv("TELLONCE_NATS_URL", nats_url)
    page = b'{"count":9,"callbacks":[{},{}],"next":"n1"}'
    inbox = b'{"counts":{"waiting":4918,"owned":0},"waiting":[{}],"owned":[],"next":"n2"}'
    with Responder(nats_url, "query.demo.callbacks", [page]):
        code, out, err = run("query", "callbacks", "{}")
    assert (code, json.loads(out)) == (0, json.loads(page))
    assert "2 of 9 callbacks" in err
    assert '{"after": "n1"}' in err
    with Responder(nats_url, "query.demo.inbox", [inbox]):
        _, _, err = run("query", "inbox", "{}")
    assert "1 of 4918 waiting, 0 of 0 owned" in err
    with Responder(nats_url, "query.demo.callbacks", [page.replace(b'"n1"', b"null")]):
        assert run("query", "callbacks", "{}")[2] == ""


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (("query", "nonsense", "{}"), "command.unknown"),
        (("query", "sign_in", "{}"), "command.unknown"),
        (("query", "inbox.>", "{}"), "command.unknown"),
        (("cmd", "a b", "{}"), "command.unknown"),
        (("cmd", "", "{}"), "command.unknown"),
        (("cmd", "timeline", "{}"), "command.unknown"),
        (("query", "inbox", "{}", "--tenant", "a b"), "tenant.unknown"),
        (("cmd", "sign_in", "{}", "--tenant", "Demo.*"), "tenant.unknown"),
    ],
)
def test_a_name_that_does_not_exist_is_refused_and_not_sent(
    run: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
    argv: tuple[str, ...],
    code: str,
) -> None:
    """A slip looks like a slip and not like a stack that is down: nothing is asked of any server."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        monkeypatch.setenv("TELLONCE_NATS_URL", f"nats://127.0.0.1:{server.getsockname()[1]}")
        ended, out, err = run(*argv)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert ended == 1
    assert json.loads(out)["error"]["code"] == code
    assert not json.loads(out)["error"]["retryable"]
    assert ("there are: " in err) == (code == "command.unknown")


def test_a_time_out_sends_the_same_command_again(
    nats_url: str,
    run: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The repetition has the id of the first try, so it has one effect."""
    monkeypatch.setenv("TELLONCE_NATS_URL", nats_url)
    monkeypatch.setattr("deploy.cli.ask.REPLY_SECONDS", 0.3)
    with Responder(nats_url, "cmd.demo.resolve", [None, b'{"ok":true}']) as responder:
        assert run("cmd", "resolve", "{}")[0] == 0
    assert responder.asked[0] == responder.asked[1]


def test_nobody_there_ends_with_2(
    nats_url: str,
    run: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a bounded number of tries the command gives up, with nothing on standard output."""
    monkeypatch.setenv("TELLONCE_NATS_URL", nats_url)
    monkeypatch.setattr("deploy.cli.ask.PAUSE_SECONDS", 0.0)
    code, out, err = run("cmd", "sign_in", "{}")
    assert (code, out) == (2, "")
    assert "nobody listens" in err


@pytest.mark.parametrize("body", ["", "[1]", "{"])
def test_a_body_that_is_no_object_is_not_sent(
    run: Callable[..., tuple[int, str, str]], body: str
) -> None:
    """A slip of the shell's quoting must not reach the bus."""
    code, out, err = run("query", "timeline", body)
    assert (code, out) == (2, "")
    assert "not a JSON object" in err


def test_no_stack_and_no_address_ends_with_2(
    tmp_path: Path,
    run: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The error says how to start one."""
    monkeypatch.delenv("TELLONCE_NATS_URL", raising=False)
    code, _, err = run("cmd", "sign_in", "{}", "--data", str(tmp_path))
    assert code == 2
    assert "setup.address_invalid" in err
    assert "tellonce up" in err


def test_a_body_nested_too_deeply_or_with_a_name_twice_is_not_sent(
    run: Callable[..., tuple[int, str, str]],
) -> None:
    """What the service would refuse, or read otherwise than it was meant, is told here."""
    for body in (
        '{"a":' * 20_000 + "1" + "}" * 20_000,
        '{"agent":"ewa","agent":"piotr"}',
        "\udcff",
    ):
        code, out, err = run("query", "inbox", body)
        assert (code, out) == (2, "")
        assert "not a JSON object" in err
