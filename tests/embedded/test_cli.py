"""The `tellonce` command as a shell uses it: exit codes, one JSON on standard output, clear errors."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.cli.main import EXIT_PIPE_CLOSED
from deploy.embedded import state
from deploy.embedded.ports import free_ports
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
    assert json.loads(out) == {
        "state": "stopped",
        "addresses": {},
        "pids": {},
        "position": None,
        "troubles": {},
    }


def test_services_without_a_stack_are_asked_on_their_server(
    data: Path,
    running: subprocess.Popen[bytes],
    run: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever runs them as programs of their own has no data folder; where nobody answers they are stopped."""
    addresses = state.read_status(data).addresses
    bus = state.bus_address(data, state.read_status(data))
    monkeypatch.setenv("TELLONCE_NATS_URL", bus.url)
    monkeypatch.setenv("TELLONCE_NATS_SEED_FILE", bus.seed_file)
    code, out, _ = run("status", "--json", "--data", str(data / "elsewhere"))
    found = json.loads(out)
    assert (code, found["state"], found["troubles"]) == (0, "ready", {})
    assert found["addresses"] == {"nats": addresses["nats"]}
    monkeypatch.setenv("TELLONCE_NATS_URL", f"nats://127.0.0.1:{free_ports(1)[0]}")
    code, out, _ = run("status", "--json", "--data", str(data / "elsewhere"))
    assert (code, json.loads(out)["state"]) == (1, "stopped")


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
        ("TELLONCE_PROVIDERS_URL", "gateway.example"),
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


def test_a_stack_without_the_keys_that_its_router_needs_is_not_begun(
    tmp_path: Path,
    run: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It says which are missing, before a server is started; an account's secret may be missing."""
    few = tmp_path / "few.env"
    lines = settings.EMBEDDED_SECRETS.read_text().splitlines()
    few.write_text("\n".join(line for line in lines if line.startswith("CHAT_SIGNING_KEY=")))
    monkeypatch.setenv("TELLONCE_SECRETS_FILE", str(few))
    code, out, err = run("up", "--data", str(tmp_path / "data"))
    assert (code, out) == (2, "")
    assert "setup.secret_missing" in err
    assert "LOOKUP_KEY, REPLY_KEY\n" in err
    assert not (tmp_path / "data").exists()


def test_the_installed_command_runs() -> None:
    """`make setup` leaves a `tellonce` in the environment that runs the same program."""
    command = Path(sys.executable).with_name("tellonce")
    answer = subprocess.run(
        [str(command), "--help"], capture_output=True, check=True, text=True, env=dict(os.environ)
    )
    assert "doctor" in answer.stdout
