"""The users of a bus are made, those of integrations by what policies name, and come to a server that runs."""

import contextlib
import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from deploy import bus_users, rights
from deploy.embedded.stack import EmbeddedStack
from shared import errors, nkey
from shared.bus import Bus, connect
from shared.bus.deliveries import Message
from shared.bus_address import BusAddress
from tests.embedded.dummies import dummy_plan
from tests.support.servers import EmbeddedNats
from tests.support.waiting import eventually

CRM, ERP = "integration-shop.crm", "integration-shop.erp"
POLICY = "tenant: shop\nqueues: {}\nagents: {}\naccounts: {}\nintegrations: {crm: {}, erp: {}}\n"


def keys(folder: Path) -> set[str]:
    """Return all public keys that the server is told."""
    accounts = json.loads((folder / bus_users.CONFIG).read_text())["accounts"]
    return {user["nkey"] for each in accounts.values() for user in each["users"]}


def public(folder: Path, user: str) -> str:
    """Return the public key of a user's seed."""
    return nkey.read(bus_users.seed_file(folder, user)).public


def test_a_policy_names_the_integrations_that_get_a_user(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who is new is told, for a seed has to be brought there; and who has a user that no policy names any more."""
    policy, folder = tmp_path / "shop.yaml", tmp_path / "users"
    policy.write_text(POLICY)
    bus_users.make(folder, [CRM, "integration-shop.gone", "desk-shop"])
    assert bus_users.main([str(folder), "--policy", str(policy)]) == 0
    shown = capsys.readouterr()
    assert shown.out == f"{folder / bus_users.CONFIG}\n"
    assert shown.err.splitlines() == [
        f"bus users: new: {ERP}",
        "bus users: not named by the policy: integration-shop.gone",
    ]
    assert {public(folder, CRM), public(folder, ERP)} <= keys(folder)
    assert bus_users.main([str(folder)]) == 0
    assert capsys.readouterr().err == ""


def test_a_policy_that_cannot_be_taken_changes_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says what is wrong, and the users are as before."""
    policy, folder = tmp_path / "shop.yaml", tmp_path / "users"
    policy.write_text("tenant: shop\n")
    bus_users.make(folder)
    before = keys(folder)
    assert bus_users.main([str(folder), "--policy", str(policy), "--rotate", "all"]) == 1
    assert "shop.yaml" in capsys.readouterr().err
    assert keys(folder) == before


@pytest.mark.parametrize(
    "user", ["integration-shop", "integration-shop.", "integration-shop.a.b", "desk-a.b", "ruoter"]
)
def test_a_user_that_there_is_not_is_refused_and_leaves_no_file(tmp_path: Path, user: str) -> None:
    """Named for the first time, or for a new seed."""
    for named in ([user], ["--rotate", user]):
        assert bus_users.main([str(tmp_path / "users"), *named]) == 1
    assert not (tmp_path / "users").exists()


def test_a_key_of_nobody_lets_nobody_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As that by which all integrations of a tenant were one; the others go on."""
    folder = tmp_path / "users"
    bus_users.make(folder, [CRM])
    former = nkey.make(bus_users.seed_file(folder, "integration-shop")).public
    (folder / "integration-shop.pub").write_text(former)
    assert bus_users.main([str(folder), "--rotate", "all"]) == 0
    assert "no such user: integration-shop\n" in capsys.readouterr().err
    assert former not in keys(folder)
    assert public(folder, CRM) in keys(folder)


def test_everybody_gets_a_new_key_and_keeps_the_one_of_before_until_it_is_retired(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each is told. Those of tenants, too; and an integration that is called `old` is nobody's key of before."""
    users = (*rights.HOUSE, "desk-shop", CRM, "integration-shop.old", "integration-old.pub")
    bus_users.make(tmp_path, users)
    before = {public(tmp_path, user) for user in users}
    assert bus_users.main([str(tmp_path), "--rotate", "all"]) == 0
    assert capsys.readouterr().err.splitlines() == [
        f"bus users: new key: {user}" for user in sorted(users)
    ]
    now = {public(tmp_path, user) for user in users}
    assert not now & before
    assert keys(tmp_path) == before | now
    assert bus_users.main([str(tmp_path), "--retire"]) == 0
    assert keys(tmp_path) == now


async def test_an_integration_comes_to_a_server_that_runs(tmp_path: Path) -> None:
    """The server reads its users once more: the new one is answered, and nobody else notices."""
    folder = tmp_path / "users"
    bus_users.make(folder, ["desk-shop"])
    async with EmbeddedNats(tmp_path / "nats", users=folder) as server:

        async def known(user: str) -> Bus:
            seed = str(bus_users.seed_file(folder, user))
            return await connect(BusAddress(url=server.url, seed_file=seed), user)

        history, desk = await known("history"), await known("desk-shop")

        async def answer(message: Message) -> None:
            await history.answer(message.reply, message.subject.encode())

        for subject in ("query.*.timeline", "query.*.timeline.as.*"):
            await history.subscribe(subject, answer)
        await history.flush()
        bus_users.make(folder, [CRM])
        assert server.pid is not None
        os.kill(server.pid, signal.SIGHUP)
        come: list[Bus] = []

        async def is_let_in() -> bool:
            with contextlib.suppress(errors.BusUnauthorized):
                come.append(await known(CRM))
            return bool(come)

        await eventually(is_let_in)
        (crm,) = come
        assert await crm.request("query.shop.timeline.as.crm") == b"query.shop.timeline.as.crm"
        assert await desk.request("query.shop.timeline") == b"query.shop.timeline"
        assert (history.generation, desk.generation) == (0, 0)
        for bus in (history, desk, crm):
            await bus.close()


async def test_an_embedded_stack_lets_in_whom_its_policies_name(data: Path, tmp_path: Path) -> None:
    """From its next start; a policy that cannot be taken shuts nobody out, and a key of nobody stops nothing."""
    policy, users = tmp_path / "shop.yaml", data / "users"
    plan = dummy_plan(data, TELLONCE_POLICY=str(policy))
    policy.write_text(POLICY.replace(", erp: {}", ""))
    async with EmbeddedStack(plan):
        assert public(users, CRM) in keys(users)
        assert not bus_users.seed_file(users, ERP).exists()
    policy.write_text(POLICY)
    (users / "integration-shop.pub").write_text(nkey.make(tmp_path / "seed").public)
    said: list[str] = []
    async with EmbeddedStack(replace(plan, progress=said.append)) as stack:
        for user in (CRM, ERP):
            bus = await connect(stack.bus_address(user), user)
            await bus.flush()
            await bus.close()
    assert [line for line in said if line.startswith("integration-shop ")]
    policy.write_text("tenant: shop\n")
    async with EmbeddedStack(plan):
        assert {public(users, user) for user in (CRM, ERP)} <= keys(users)
