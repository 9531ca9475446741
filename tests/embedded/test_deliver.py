"""`tellonce deliver`: a delivery is made as its provider makes it."""

import io
import json
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
import yaml

from deploy.embedded import state

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "how-to").glob("connect-*.md"))
BLOCK = re.compile(r"^ *```(sh|yaml)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
SHOWN = r"""
tellonce() {
  [ "$1" = deliver ] || return 0
  printf '%s\0' "${@:2}"; printf '\1'; cat; printf '\2'
}
"""
"""Says in the place of `tellonce` what it was given: arguments, and standard input."""


class Door(BaseHTTPRequestHandler):
    """Takes everything, and refuses a body with `bad` in it."""

    taken: ClassVar[list[tuple[str, str, bytes]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.taken.append((self.path, self.headers["content-type"], body))
        refused = b"bad" in body
        answer = b'{"code": "door.signature_invalid"}' if refused else b""
        self.send_response(403 if refused else 204)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

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
    ("account", "given", "media_type", "body", "read"),
    [
        (
            *("twilio_voice/hotline", ["CallSid=CA1", "CallStatus=ringing", "Direction=inbound"]),
            *("form", b"CallSid=CA1&CallStatus=ringing&Direction=inbound", "read: call.started\n"),
        ),
        (
            *("twilio_voice/hotline", ["CallSid=CA1", "CallStatus=queued", "Direction=inbound"]),
            *("form", b"CallSid=CA1&CallStatus=queued&Direction=inbound", "ignored: queued\n"),
        ),
        (
            *("form/contact", ["message=a"], "json", b'{"message":"a"}'),
            "read: form.submitted\n",
        ),
        (
            *("form/contact", ['{"message": "a=b"}'], "json", b'{"message": "a=b"}'),
            "read: form.submitted\n",
        ),
        (
            *("chat/shop", ['{"id": "m-1"}'], "json", b'{"id": "m-1"}'),
            "not read: payload.unreadable; `tellonce parked list` shows it\n",
        ),
        ("email/shop", [], "rfc822", b"Subject: a\n\nb\n", "read: message.received\n"),
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
    read: str,
) -> None:
    """Fields, one text or standard input go to the account's door in its own format; what is read in it is said."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"Subject: a\n\nb\n")))
    assert run("deliver", account, *given, "--data", str(tmp_path)) == (0, "204 \n", read)
    (taken,) = door
    assert (taken[0], taken[2]) == (f"/in/demo/{account}", body)
    assert media_type in taken[1]


def test_the_accounts_are_those_of_the_running_stack(
    tmp_path: Path,
    run: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
    door: list[tuple[str, str, bytes]],
) -> None:
    """Nobody has to name the policy with which the stack was started; whoever names one is heard."""
    monkeypatch.setenv("FORM_SIGNING_KEY", "key")
    example = ROOT / "deploy" / "embedded" / "policy.yaml"
    other = tmp_path / "other.yaml"
    other.write_text(example.read_text("utf-8").replace("form/contact", "form/other"), "utf-8")
    told = replace(state.read_status(tmp_path), policy=str(other))
    state.write_status(tmp_path, told)
    asked = ("deliver", "form/other", "message=a", "--data", str(tmp_path))
    assert run(*asked) == (0, "204 \n", "read: form.submitted\n")
    assert [path for path, *_ in door] == ["/in/demo/form/other"]
    assert run(*asked, "--tenant-policy", str(example))[0] != 0


@pytest.mark.parametrize(
    ("key", "said"), [("key", ""), ("", "form/contact has no secret `signing`: its door is shut\n")]
)
def test_a_refused_delivery_ends_with_1(
    tmp_path: Path,
    run: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
    door: list[tuple[str, str, bytes]],
    key: str,
    said: str,
) -> None:
    """The door's own status and answer are shown, and why nothing can be taken where the account lacks its key."""
    secrets = tmp_path / "secrets.env"
    secrets.write_text(f"FORM_SIGNING_KEY={key}\n")
    monkeypatch.setenv("TELLONCE_SECRETS_FILE", str(secrets))
    code, out, err = run("deliver", "form/contact", "message=bad", "--data", str(tmp_path))
    assert (code, out) == (1, '403 {"code": "door.signature_invalid"}\n')
    assert err == said


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


def examples(page: Path) -> Iterator[tuple[list[str], bytes]]:
    """Yield the arguments and the standard input of each delivery that a page shows, as a shell gives them."""
    for language, block in BLOCK.findall(page.read_text("utf-8")):
        if language == "sh" and "tellonce deliver" in block:
            said = subprocess.run(
                ("bash", "-c", SHOWN + block),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                check=True,
            ).stdout
            for each in said.split(b"\2")[:-1]:
                arguments, _, stdin = each.partition(b"\1")
                yield arguments.decode().split("\0")[:-1], stdin


def policy_of(page: Path, folder: Path) -> tuple[Path, Path]:
    """Write the embedded policy with the accounts that a page shows, and their secrets."""
    policy = yaml.safe_load((ROOT / "deploy" / "embedded" / "policy.yaml").read_text("utf-8"))
    for language, block in BLOCK.findall(page.read_text("utf-8")):
        if language == "yaml" and "accounts:" in block:
            policy["accounts"] |= yaml.safe_load(block)["accounts"]
    names = {name for each in policy["accounts"].values() for name in each["secrets"].values()}
    written = folder / "policy.yaml", folder / "secrets.env"
    written[0].write_text(yaml.safe_dump(policy))
    written[1].write_text("".join(f"{name}=made-for-a-test-{name}\n" for name in names))
    return written


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.stem))
def test_what_a_page_shows_is_read(
    tmp_path: Path,
    run: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
    door: list[tuple[str, str, bytes]],
    page: Path,
) -> None:
    """With the accounts that a page shows, each delivery that it shows becomes events."""
    policy, secrets = policy_of(page, tmp_path)
    monkeypatch.setenv("TELLONCE_SECRETS_FILE", str(secrets))
    chosen = ("--data", str(tmp_path), "--tenant-policy", str(policy))
    shown = list(examples(page))
    assert shown, f"show in {page.name} a `tellonce deliver` to try"
    for arguments, stdin in shown:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code, _, said = run("deliver", *arguments, *chosen)
        assert (code, said[:6], "not read" in said) == (0, "read: ", False), (arguments, said)
    assert len(door) == len(shown)
