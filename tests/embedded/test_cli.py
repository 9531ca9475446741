"""The `tellonce` command as a shell uses it: exit codes, one JSON on standard output, clear errors."""

import asyncio
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from deploy.cli.main import EXIT_PIPE_CLOSED
from deploy.embedded import state
from shared import settings
from tests.embedded.dummies import THIS
from tests.embedded.waiting import until

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0


@pytest.fixture
def running(data: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs a stack of dummies on the data folder."""
    process = subprocess.Popen(
        [sys.executable, "-m", THIS, str(data)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    asyncio.run(until(lambda: is_ready(data), within_seconds=START_SECONDS))
    yield process
    process.kill()
    process.communicate()


def is_ready(folder: Path) -> bool:
    """Whether the stack of the folder says so."""
    return state.read_status(folder).state == "ready"


def pids_of(folder: Path) -> dict[str, int]:
    """The process ids in the status."""
    return dict(state.read_status(folder).pids)


def is_gone(pid: int) -> bool:
    """Whether the process has ended (a zombie of a parent that does not wait has)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return stat.rsplit(")", 1)[1].split()[0] == "Z"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_stops_everything(
    data: Path, running: subprocess.Popen[bytes], how: signal.Signals
) -> None:
    """The command ends with 0 and leaves no process."""
    pids = pids_of(data)
    running.send_signal(how)
    assert running.wait(timeout=30) == 0
    assert all(is_gone(pid) for pid in pids.values())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
async def test_nothing_outlives_a_killed_supervisor(
    data: Path, running: subprocess.Popen[bytes]
) -> None:
    """Signal 9 to the supervisor ends servers and services too, and the folder is free again."""
    pids = pids_of(data)
    running.kill()
    running.wait(timeout=30)
    await until(lambda: all(is_gone(pid) for pid in pids.values()), within_seconds=15)
    assert state.read_status(data).state == "stopped"


def test_a_second_up_is_refused_with_a_code(data: Path, running: subprocess.Popen[bytes]) -> None:
    """The second command ends at once, says why, and does the first no harm."""
    second = subprocess.run(
        [sys.executable, "-m", THIS, str(data)],
        cwd=ROOT,
        capture_output=True,
        check=False,
        text=True,
        timeout=30,
    )
    assert second.returncode == 2
    assert "setup.data_folder_in_use" in second.stderr
    assert is_ready(data)


def test_down_stops_the_stack_of_the_folder(
    data: Path,
    running: subprocess.Popen[bytes],
    run: Callable[..., tuple[int, str, str]],
) -> None:
    """`down` waits until the stack has stopped; a second `down` finds nothing to do."""
    # The stack is our child here, and a lock is free only when its holder has ended.
    waiter = threading.Thread(target=running.wait)
    waiter.start()
    assert run("down", "--data", str(data))[0] == 0
    waiter.join(timeout=30)
    assert running.returncode == 0
    code, out, _ = run("down", "--data", str(data))
    assert code == 0
    assert "No stack runs" in out


def test_status_says_ready_and_stopped(
    data: Path,
    running: subprocess.Popen[bytes],
    run: Callable[..., tuple[int, str, str]],
) -> None:
    """One JSON object; the exit code tells ready from anything else."""
    code, out, _ = run("status", "--json", "--data", str(data))
    assert code == 0
    assert json.loads(out)["state"] == "ready"
    assert json.loads(out)["addresses"]["ingest"].startswith("http://127.0.0.1:")
    code, out, _ = run("status", "--json", "--data", str(data / "elsewhere"))
    assert code == 1
    assert json.loads(out) == {"state": "stopped", "addresses": {}, "pids": {}, "position": None}


class Responder:
    """Answers requests on one subject with the given replies, in order; None lets one time out."""

    def __init__(self, url: str, subject: str, replies: list[bytes | None]) -> None:
        self.url, self.subject, self.replies = url, subject, replies
        self.asked: list[dict[str, object]] = []
        self._socket: socket.socket | None = None
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> "Responder":
        host, port = self.url.removeprefix("nats://").split(":")
        self._socket = socket.create_connection((host, int(port)))
        self._file = self._socket.makefile("rwb")
        self._file.readline()
        self._file.write(b'CONNECT {"verbose":false}\r\n')
        self._file.write(f"SUB {self.subject} 1\r\nPING\r\n".encode())
        self._file.flush()
        while self._file.readline() != b"PONG\r\n":
            pass
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._socket is not None
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=5)
        self._file.close()
        self._socket.close()

    def _serve(self) -> None:
        while line := self._file.readline():
            words = line.decode().split()
            if words[0] != "MSG":
                continue
            body = self._file.read(int(words[-1]) + 2)[:-2]
            self.asked.append(json.loads(body))
            reply = self.replies.pop(0)
            if reply is not None:
                self._file.write(f"PUB {words[3]} {len(reply)}\r\n".encode() + reply + b"\r\n")
                self._file.flush()


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


def test_a_closed_pipe_ends_the_command_without_a_word(tmp_path: Path) -> None:
    """Whoever reads has seen enough: `tellonce doctor | head -1` prints no traceback."""
    reading, writing = os.pipe()
    os.close(reading)
    argv = (sys.executable, "-m", "deploy.cli.main", "status", "--data", str(tmp_path))
    answer = subprocess.run(argv, stdout=writing, stderr=subprocess.PIPE, check=False, text=True)
    os.close(writing)
    assert (answer.returncode, answer.stderr) == (EXIT_PIPE_CLOSED, "")


@pytest.mark.parametrize(
    ("verb", "streams", "code"),
    [
        ("status", ">/dev/full", 74),
        ("query position {}", ">/dev/full", 2),
        ("--help", ">/dev/full", None),
        ("status", ">&-", 1),
        ("status", "<&- >&- 2>&-", 1),
        ("query nonsense {}", ">&-", 1),
        ("query nonsense -", "<&-", 1),
        ("query inbox -", "<&-", 2),
        ("deliver form/contact", "<&-", 2),
        ("doctor", "2>&-", None),
    ],
)
def test_streams_that_are_full_or_closed_end_in_a_word(
    tmp_path: Path, verb: str, streams: str, code: int | None
) -> None:
    """No traceback, whatever the shell did to standard input, output and error."""
    line = f'exec "$0" -m deploy.cli.main {verb} --data "$1" {streams}'
    if verb == "--help":
        line = f'exec "$0" -m deploy.cli.main --help {streams}'
    answer = subprocess.run(
        ["sh", "-c", line, sys.executable, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        check=False,
        text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("TELLONCE_")},
    )
    assert "Traceback" not in answer.stderr
    assert "Exception ignored" not in answer.stderr
    assert code in {None, answer.returncode}, answer.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TELLONCE_INGEST_PORT", "²"),
        ("TELLONCE_INGEST_PORT", "99999"),
        ("TELLONCE_INGEST_PORT", "-1"),
        ("TELLONCE_INGEST_HOST", "no.such.host.invalid"),
        ("TELLONCE_NATS_URL", "nats://127.0.0.1:99999"),
        ("TELLONCE_NATS_URL", "nats://127.0.0.1:²"),
        ("TELLONCE_POSTGRES_DSN", "postgresql://a@127.0.0.1:99999/x"),
        ("TELLONCE_POSTGRES_DSN", "postgresql://a@127.0.0.1:²/x"),
        ("TELLONCE_PUBLIC_URL", "http://127.0.0.1:99999"),
        ("TELLONCE_PUBLIC_URL", "http://[::1"),
        ("TELLONCE_TRUSTED_PROXIES", "10.0.0.0/99"),
    ],
)
def test_an_odd_address_is_told_and_not_thrown(
    tmp_path: Path,
    run: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
) -> None:
    """`doctor` finds each with a code; `up` refuses before anything is started."""
    monkeypatch.setenv(name, value)
    code, out, _ = run("doctor", "--json", "--data", str(tmp_path))
    assert code == 1
    assert [found["code"].partition(".")[0] for found in json.loads(out)["findings"]]
    code, out, err = run("up", "--data", str(tmp_path))
    assert (code, out) == (2, "")
    assert "setup." in err


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


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TELLONCE_PUBLIC_URL", "https://shop.example"),
        ("TELLONCE_INGEST_HOST", "0.0.0.0"),
    ],
)
def test_public_secrets_are_refused_where_others_reach_the_doors(
    tmp_path: Path,
    run: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
) -> None:
    """Everybody can read the embedded stack's secrets; with secrets of their own the same set-up is good."""
    monkeypatch.setenv(name, value)
    code, out, err = run("up", "--data", str(tmp_path / "data"))
    assert (code, out) == (2, "")
    assert "setup.secret_public" in err
    assert "TELLONCE_SECRETS_FILE" in err
    found = json.loads(run("doctor", "--json", "--data", str(tmp_path))[1])["findings"]
    assert [each["code"] for each in found] == ["setup.secret_public"]
    own = tmp_path / "own.env"
    lines = settings.EMBEDDED_SECRETS.read_text().splitlines()
    own.write_text("\n".join(f"{line}-ours" for line in lines if "=" in line))
    monkeypatch.setenv("TELLONCE_SECRETS_FILE", str(own))
    assert json.loads(run("doctor", "--json", "--data", str(tmp_path))[1])["findings"] == []


def test_the_installed_command_runs() -> None:
    """`make setup` leaves a `tellonce` in the environment that runs the same program."""
    command = Path(sys.executable).with_name("tellonce")
    answer = subprocess.run(
        [str(command), "--help"], capture_output=True, check=True, text=True, env=dict(os.environ)
    )
    assert "doctor" in answer.stdout
