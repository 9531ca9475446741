"""`tellonce policy apply`: a policy comes into force in a running stack as a whole, or nothing is touched."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import yaml

from deploy.embedded.stack import EmbeddedStack, Plan
from shared import aggregates, events
from shared.bus import connect
from shared.codec import PlainCodec
from shared.ledger.jetstream import NatsLedger
from shared.policy import load, parse
from tests.embedded.shops import EMBEDDED, put


def changed(tenant: str, folder: Path, name: str, **fields: object) -> Path:
    """Return a file beside the folder that says something else than the tenant's policy there."""
    said = yaml.safe_load((folder / f"{tenant}.yaml").read_bytes())
    file = folder.parent / name
    file.write_bytes(msgspec.yaml.encode({**said, **fields}))
    return file


async def test_a_policy_comes_into_force_whole_or_not_at_all(
    data: Path, tmp_path: Path, run: Callable[..., tuple[int, str, str]]
) -> None:
    """Every service works by it when its version is printed, the ledger says since when; a bad one changes nothing."""
    folder = tmp_path / "policies"
    folder.mkdir()
    put(folder, "demo")
    put(folder, "second")

    async def apply(file: Path) -> tuple[int, str, str]:
        return await asyncio.to_thread(run, "policy", "apply", str(file), "--data", str(data))

    plan = Plan(folder=data, environment={"TELLONCE_POLICY": str(folder)})
    async with EmbeddedStack(plan) as stack:
        bus = await connect(stack.bus_address(), "tests")
        try:
            good = changed("second", folder, "good.yaml", times={"offer_seconds": 20})
            code, out, told = await apply(good)
            version = load(good).version
            assert (code, out.splitlines()[-1]) == (0, f"second works by policy {version}"), told
            assert "times.offer_seconds: 30.0 → 20.0" in out
            assert (folder / "second.yaml").read_bytes() == good.read_bytes()
            ledger = NatsLedger(bus, PlainCodec())
            applied = await ledger.read("second", aggregates.TENANT_POLICY)
            last = applied[-1].event
            assert isinstance(last, events.PolicyApplied)
            assert last.open.version == version

            before = {each.name: each.read_bytes() for each in folder.iterdir()}
            refused = [
                (changed("second", folder, "a.yaml", agents={}), 1, "no agent"),
                (
                    changed("second", folder, "b.yaml", lookup_secret="LOOKUP_KEY"),
                    1,
                    "that of demo",
                ),
                (changed("second", folder, "c.yaml", lookup_secret="NOWHERE"), 2, "NOWHERE"),
                (
                    changed("second", folder, "d.yaml", transports=["pigeon"]),
                    2,
                    "notify refuses it",
                ),
            ]
            for file, wanted, why in refused:
                code, out, told = await apply(file)
                assert (code, why in out + told) == (wanted, True), out + told
                assert {each.name: each.read_bytes() for each in folder.iterdir()} == before
        finally:
            await bus.close()


def test_the_example_of_the_package_is_not_written_over(
    tmp_path: Path, run: Callable[..., tuple[int, str, str]]
) -> None:
    """Whoever runs on it is told to copy it; nothing is asked for or changed."""
    before = EMBEDDED.read_bytes()
    file = tmp_path / "mine.yaml"
    file.write_bytes(before.replace(b"offer_seconds: 30", b"offer_seconds: 20"))
    assert parse(file.read_bytes()).version != load(EMBEDDED).version
    code, _, told = run("policy", "apply", str(file), "--data", str(tmp_path / "data"))
    assert code == 2
    assert "setup.policy_not_applied" in told
    assert EMBEDDED.read_bytes() == before


def test_nothing_is_touched_where_nobody_would_take_it_up(
    nats_url: str,
    tmp_path: Path,
    run: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a stack, and beside a server without services, the file stays as it is."""
    place, file = tmp_path / "policy.yaml", tmp_path / "mine.yaml"
    place.write_bytes(EMBEDDED.read_bytes())
    file.write_bytes(EMBEDDED.read_bytes().replace(b"offer_seconds: 30", b"offer_seconds: 20"))
    apply = ("policy", "apply", str(file), "--tenant-policy", str(place))
    code, _, told = run(*apply, "--data", str(tmp_path / "data"))
    assert (code, "setup.address_invalid" in told) == (2, True)
    monkeypatch.setenv("TELLONCE_NATS_URL", nats_url)
    code, _, told = run(*apply, "--data", str(tmp_path / "data"))
    assert (code, "no answer from: " in told) == (2, True)
    assert place.read_bytes() == EMBEDDED.read_bytes()
