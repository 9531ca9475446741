"""`tellonce deliver`: a delivery is made as its provider makes it."""

import io
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from deploy.embedded import state


class Door(BaseHTTPRequestHandler):
    """Takes everything, and refuses a body with `bad` in it."""

    taken: ClassVar[list[tuple[str, str, bytes]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.taken.append((self.path, self.headers["content-type"], body))
        self.send_response(403 if b"bad" in body else 204)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def door(tmp_path: Path) -> Iterator[list[tuple[str, str, bytes]]]:
    """A door in the place of ingest's, on the data folder `tmp_path`; path, media type and body of what it took."""
    Door.taken.clear()
    with HTTPServer(("127.0.0.1", 0), Door) as server, state.hold(tmp_path):
        address = f"http://127.0.0.1:{server.server_port}"
        state.write_status(tmp_path, state.Status(state="ready", addresses={"ingest": address}))
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield Door.taken
        server.shutdown()
        serving.join(timeout=5)


@pytest.mark.parametrize(
    ("account", "given", "media_type", "body"),
    [
        ("twilio_voice/hotline", ["CallSid=CA1", "From=+48"], "form", b"CallSid=CA1&From=%2B48"),
        ("form/contact", ["email=a@b.example"], "json", b'{"email":"a@b.example"}'),
        ("form/contact", ['{"message": "a=b"}'], "json", b'{"message": "a=b"}'),
        ("chat/shop", ['{"id": "m-1"}'], "json", b'{"id": "m-1"}'),
        ("email/shop", [], "rfc822", b"Subject: a\n\nb\n"),
    ],
)
def test_a_delivery_is_made_as_its_provider_makes_it(
    tmp_path: Path,
    run: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
    door: list[tuple[str, str, bytes]],
    account: str,
    given: list[str],
    media_type: str,
    body: bytes,
) -> None:
    """Fields, one text or standard input go to the account's door in its own format."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"Subject: a\n\nb\n")))
    assert run("deliver", account, *given, "--data", str(tmp_path)) == (0, "204 \n", "")
    (taken,) = door
    assert (taken[0], taken[2]) == (f"/in/demo/{account}", body)
    assert media_type in taken[1]


def test_a_refused_delivery_ends_with_1(
    tmp_path: Path,
    run: Callable[..., tuple[int, str, str]],
    door: list[tuple[str, str, bytes]],
) -> None:
    """The door's own status and answer are shown."""
    code, out, _ = run("deliver", "form/contact", "message=bad", "--data", str(tmp_path))
    assert (code, out) == (1, "403 \n")


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (("form/nobody", "a=b"), "door.account_unknown"),
        (("nonsense",), "door.account_unknown"),
        (("email/shop", "a=b"), "payload.unreadable"),
        (("form/contact", "a=b", "c"), "payload.unreadable"),
    ],
)
def test_a_delivery_that_nobody_could_make_is_not_sent(
    tmp_path: Path,
    run: Callable[..., tuple[int, str, str]],
    door: list[tuple[str, str, bytes]],
    argv: tuple[str, ...],
    code: str,
) -> None:
    """An account that the policy lacks, fields for a mail, a field without its name."""
    ended, out, err = run("deliver", *argv, "--data", str(tmp_path))
    assert ended == 1
    assert json.loads(out)["error"]["code"] == code
    assert ("there are: " in err) == (code == "door.account_unknown")
    assert door == []


def test_a_delivery_without_a_stack_ends_with_2(
    tmp_path: Path, run: Callable[..., tuple[int, str, str]]
) -> None:
    """The error says how to start one."""
    code, out, err = run("deliver", "form/contact", "a=b", "--data", str(tmp_path))
    assert (code, out) == (2, "")
    assert "setup.address_invalid" in err
    assert "tellonce up" in err


def test_a_delivery_to_a_door_that_is_gone_ends_with_2(
    tmp_path: Path,
    run: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody listens where the stack said: after a bounded time the command gives up."""
    monkeypatch.setattr("deploy.story.providers.doors.DELIVERY_SECONDS", 0.0)
    with state.hold(tmp_path):
        gone = state.Status(state="ready", addresses={"ingest": "http://127.0.0.1:1"})
        state.write_status(tmp_path, gone)
        code, out, err = run("deliver", "form/contact", "a=b", "--data", str(tmp_path))
    assert (code, out) == (2, "")
    assert "not reached" in err
