"""`tellonce doctor` finds what is wrong with a set-up and says how to mend it."""

import asyncio
import json
import os
import signal
import socket
from pathlib import Path

import pytest

from shared.cli.main import main
from shared.embedded.stack import EmbeddedStack
from tests.embedded.dummies import dummy_plan


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("TELLONCE_")]:
        monkeypatch.delenv(name)
    for name in ("NATS_SERVER_BIN", "PG_BIN"):
        monkeypatch.delenv(name, raising=False)


def findings(capsys: pytest.CaptureFixture[str], *argv: str) -> dict[str, dict[str, str]]:
    """What the doctor found, by code; the exit code agrees."""
    capsys.readouterr()
    code = main(["doctor", "--json", *argv])
    shown = json.loads(capsys.readouterr().out)
    assert code == (0 if shown["ok"] else 1)
    assert all(finding["mend"] for finding in shown["findings"])
    return {finding["code"]: finding for finding in shown["findings"]}


def test_a_good_set_up_has_no_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As `make setup` leaves it."""
    assert findings(capsys, "--data", str(tmp_path)) == {}


@pytest.mark.parametrize("variable", ["NATS_SERVER_BIN", "PG_BIN"])
def test_a_binary_that_is_not_there(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
) -> None:
    """A variable that leads nowhere is an error, not a hint."""
    monkeypatch.setenv(variable, str(tmp_path / "nowhere"))
    found = findings(capsys, "--data", str(tmp_path))
    assert list(found) == ["setup.binary_missing"]
    assert variable in found["setup.binary_missing"]["message"]


def test_a_binary_that_does_not_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An executable for another machine, for instance."""
    broken = tmp_path / "nats-server"
    broken.write_bytes(b"\x7fELF of another machine")
    broken.chmod(0o755)
    monkeypatch.setenv("NATS_SERVER_BIN", str(broken))
    assert list(findings(capsys, "--data", str(tmp_path))) == ["setup.binary_unusable"]


def test_a_server_that_is_too_old(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Atomic batches and schedules came with later versions."""
    old = tmp_path / "nats-server"
    old.write_text("#!/bin/sh\necho nats-server: v2.9.1\n")
    old.chmod(0o755)
    monkeypatch.setenv("NATS_SERVER_BIN", str(old))
    found = findings(capsys, "--data", str(tmp_path))
    assert "2.9.1" in found["setup.binary_unusable"]["message"]


def test_a_taken_port(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a port that was asked for can be taken; the others are chosen free."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("TELLONCE_INGEST_PORT", str(taken.getsockname()[1]))
        assert list(findings(capsys, "--data", str(tmp_path))) == ["setup.port_taken"]


def test_a_port_that_is_no_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable is named."""
    monkeypatch.setenv("TELLONCE_INGEST_PORT", "http")
    found = findings(capsys, "--data", str(tmp_path))
    assert "TELLONCE_INGEST_PORT" in found["setup.setting_unreadable"]["message"]


def test_a_data_folder_that_cannot_be_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file in its way stops root too."""
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    found = findings(capsys, "--data", str(in_the_way / "data"))
    assert "setup.data_folder_unusable" in found


@pytest.mark.parametrize("content", [None, "queues: [", "queues: {}"])
def test_a_policy_that_cannot_be_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None
) -> None:
    """Missing, unreadable, or not a policy."""
    policy = tmp_path / "policy.yaml"
    if content is not None:
        policy.write_text(content)
    found = findings(capsys, "--data", str(tmp_path), "--tenant-policy", str(policy))
    assert list(found) == ["setup.policy_unusable"]


def test_servers_given_by_address_that_do_not_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever names a server wants that one."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        monkeypatch.setenv("TELLONCE_NATS_URL", f"nats://127.0.0.1:{port}")
        assert list(findings(capsys, "--data", str(tmp_path))) == ["setup.address_invalid"]
    monkeypatch.setenv("TELLONCE_NATS_URL", "http://127.0.0.1:1")
    assert list(findings(capsys, "--data", str(tmp_path))) == ["setup.address_invalid"]


async def test_a_running_stack_that_is_not_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The silent service is named."""
    async with EmbeddedStack(dummy_plan(tmp_path)) as stack:
        pid = stack.status().pids["history"]
        os.kill(pid, signal.SIGSTOP)
        try:
            found = await asyncio.to_thread(findings, capsys, "--data", str(tmp_path))
        finally:
            os.kill(pid, signal.SIGCONT)
        assert found["setup.stack_unhealthy"]["details"]["silent"] == "history"  # type: ignore[index]
        assert await asyncio.to_thread(findings, capsys, "--data", str(tmp_path)) == {}
