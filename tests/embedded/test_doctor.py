"""`tellonce doctor` finds what is wrong with a set-up and says how to mend it."""

import asyncio
import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from deploy.cli import doctor
from deploy.cli.main import main
from deploy.embedded.stack import EmbeddedStack
from shared import policy as policies
from shared import secret_values
from shared.settings import Settings
from tests.embedded.dummies import dummy_plan
from tests.support.frozen import frozen

SECRETS = secret_values.needed_secrets(policies.load(Settings().policy))


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("TELLONCE_")]:
        monkeypatch.delenv(name)
    for name in ("NATS_SERVER_BIN", "PG_BIN", *SECRETS):
        monkeypatch.delenv(name, raising=False)


def findings(capsys: pytest.CaptureFixture[str], *argv: str) -> dict[str, dict[str, Any]]:
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


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TELLONCE_INGEST_PORT", "http"),
        ("TELLONCE_INGEST_PORT", "65536"),
        ("TELLONCE_QUERY_ROWS", "0"),
        ("TELLONCE_LOG_FORMAT", "xml"),
        ("TELLONCE_SMTP_URL", "127.0.0.1:25"),
    ],
)
def test_a_setting_beyond_its_limit(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
) -> None:
    """No service starts with it; the variable is named, and the policy is not blamed for it."""
    monkeypatch.setenv(variable, value)
    found = findings(capsys, "--data", str(tmp_path))
    assert list(found) == ["setup.setting_unreadable"]
    assert variable in found["setup.setting_unreadable"]["message"]


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


def test_a_secret_that_stands_nowhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every name that the policy needs and no place has; one in the environment is there."""
    file = tmp_path / "secrets.env"
    file.write_text("CHAT_SIGNING_KEY=\nMAIL_DOOR_TOKEN=m\nTWILIO_AUTH_TOKEN=t\n")
    monkeypatch.setenv("TELLONCE_SECRETS_FILE", str(file))
    monkeypatch.setenv("FORM_SIGNING_KEY", "f")
    found = findings(capsys, "--data", str(tmp_path))
    assert list(found) == ["setup.secret_missing"]
    assert "CHAT_SIGNING_KEY, LOOKUP_KEY" in found["setup.secret_missing"]["message"]
    assert "FORM_SIGNING_KEY" not in found["setup.secret_missing"]["message"]
    monkeypatch.setenv("CHAT_SIGNING_KEY", "c")
    monkeypatch.setenv("LOOKUP_KEY", "l")
    monkeypatch.setenv("REPLY_KEY", "r")
    assert findings(capsys, "--data", str(tmp_path)) == {}


def test_the_secrets_of_the_policy_that_was_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`up` would run with that one."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        "tenant: shop\nqueues: {}\nagents: {}\naccounts: {}\nlookup_secret: SHOP_LOOKUP_KEY\n"
    )
    found = findings(capsys, "--data", str(tmp_path), "--tenant-policy", str(policy))
    assert list(found) == ["setup.secret_missing"]
    assert found["setup.secret_missing"]["message"].endswith(": SHOP_LOOKUP_KEY")


@pytest.mark.parametrize(("content", "said"), [(None, "cannot be read"), ("A=1\nB\n", ":2")])
def test_a_secrets_file_that_cannot_be_used(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    content: str | None,
    said: str,
) -> None:
    """Missing, or with a line that is no secret; the file is named, and what to do with the variable."""
    file = tmp_path / "secrets.env"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("TELLONCE_SECRETS_FILE", str(file))
    found = findings(capsys, "--data", str(tmp_path))
    assert list(found) == ["setup.setting_unreadable"]
    finding = found["setup.setting_unreadable"]
    assert str(file) in finding["message"]
    assert said in finding["message"]
    assert "TELLONCE_SECRETS_FILE" in finding["mend"]


def test_too_little_disk_space(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One byte below the limit is a finding, the limit itself is none; the folder asked is the data's."""
    asked: list[Path] = []

    def one_byte_short(folder: Path) -> int:
        asked.append(folder)
        return doctor.LEAST_FREE_BYTES - 1

    monkeypatch.setattr(doctor, "_free_bytes", one_byte_short)
    found = findings(capsys, "--data", str(tmp_path / "not" / "yet"))
    assert list(found) == ["setup.disk_full"]
    assert found["setup.disk_full"]["details"] == {
        "free_bytes": doctor.LEAST_FREE_BYTES - 1,
        "least_bytes": doctor.LEAST_FREE_BYTES,
    }
    assert asked == [tmp_path]
    monkeypatch.setattr(doctor, "_free_bytes", lambda _: doctor.LEAST_FREE_BYTES)
    assert findings(capsys, "--data", str(tmp_path)) == {}


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


async def test_an_integration_that_the_running_bus_does_not_know(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Named in the policy while the stack runs, it is let in at the next start."""
    policy = data / "policy.yaml"
    text = Path(Settings().policy).read_text("utf-8")
    named = ("--data", str(data), "--tenant-policy", str(policy))
    policy.write_text(text)
    plan = dummy_plan(data, TELLONCE_POLICY=str(policy))
    async with EmbeddedStack(plan):
        assert await asyncio.to_thread(findings, capsys, *named) == {}
        policy.write_text(text.replace("integrations:\n", "integrations:\n  crm: {}\n"))
        found = await asyncio.to_thread(findings, capsys, *named)
        assert list(found) == ["setup.user_missing"]
        assert found["setup.user_missing"]["message"].endswith(": integration-demo.crm")
    assert await asyncio.to_thread(findings, capsys, *named) == {}
    async with EmbeddedStack(plan):
        assert await asyncio.to_thread(findings, capsys, *named) == {}


async def test_a_running_stack_that_is_not_well(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The silent service is named."""
    async with EmbeddedStack(dummy_plan(data)) as stack:
        with frozen(stack.status().pids["history"]):
            found = await asyncio.to_thread(findings, capsys, "--data", str(data))
        assert found["setup.stack_unhealthy"]["details"]["silent"] == "history"
        assert await asyncio.to_thread(findings, capsys, "--data", str(data)) == {}
