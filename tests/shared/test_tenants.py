"""A folder of policies, one tenant each: read at the start, and taken up while a service runs."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from msgspec.structs import replace

from shared.errors import (
    EventUnwritable,
    LedgerUnavailable,
    PolicyInvalid,
    SettingInvalid,
    TenantUnknown,
)
from shared.policies import ByTenant, Policies, load_all
from shared.policy import POLICY_MAX_BYTES, Policy, ServiceLevel
from shared.readiness import Trouble
from shared.settings import Settings
from shared.tenants import Tenants


class Folder:
    """A folder of policies, and a file of secrets."""

    def __init__(self, place: Path) -> None:
        self.path = place / "policies"
        self.path.mkdir()
        self.secrets = place / "secrets.env"
        self.secrets.write_text("A_KEY=a\nB_KEY=b\n")
        self.settings = Settings(policy=str(self.path), secrets_file=str(self.secrets))

    def put(self, tenant: str, *, file: str = "", key: str = "", queue: str = "hotline") -> None:
        """Write a tenant's file."""
        (self.path / f"{file or tenant}.yaml").write_text(
            f"tenant: {tenant}\nlookup_secret: {key or f'{tenant.upper()}_KEY'}\n"
            f"queues: {{{queue}: {{title: {tenant}}}}}\nagents: {{}}\naccounts: {{}}\n"
        )

    def spoil(self, name: str) -> None:
        """Leave a file half written."""
        (self.path / f"{name}.yaml").write_text("tenant: [")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Two tenants, `a` and `b`."""
    made = Folder(tmp_path)
    made.put("a")
    made.put("b")
    return made


def refused(tenants: Tenants) -> list[str]:
    """Return the files that were not taken, in order."""
    assert {each.code for each in tenants.troubles} <= {"policy.invalid"}
    return [each.about for each in tenants.troubles]


async def looks(tenants: Tenants) -> frozenset[str]:
    """Look twice: what is there once, or is missing once, may just be written."""
    assert await tenants.look() == frozenset()
    return await tenants.look()


def test_every_file_of_a_folder_is_a_tenant(folder: Folder) -> None:
    """What is no `*.yaml`, and what is hidden as a mounted map's own folders are, is none."""
    (folder.path / "notes.txt").write_text("tenant: c")
    (folder.path / ".c.yaml").write_text("tenant: [")
    assert [each.tenant for each in load_all(folder.path)] == ["a", "b"]


@pytest.mark.parametrize(
    ("tenant", "key", "complaint"),
    [
        ("a", "C_KEY", "its tenant is that of a.yaml"),
        ("c", "A_KEY", "its lookup_secret is that of"),
    ],
)
def test_what_is_one_tenants_is_no_other_files(
    folder: Folder, tenant: str, key: str, complaint: str
) -> None:
    """A tenant has one file, and the hashes under which it knows its customers are under its own key."""
    folder.put(tenant, file="other", key=key)
    with pytest.raises(PolicyInvalid, match=rf"other\.yaml: {complaint}") as raised:
        load_all(folder.path)
    assert raised.value.details["file"] == "other.yaml"


def test_a_file_that_cannot_be_read_is_named(folder: Folder) -> None:
    """At the start all of them are to be good."""
    folder.spoil("b")
    with pytest.raises(PolicyInvalid, match=r"b\.yaml: the policy does not fit"):
        Tenants(folder.settings)


def test_a_folder_without_a_policy_is_refused(tmp_path: Path) -> None:
    """Nobody is served by accident."""
    with pytest.raises(PolicyInvalid, match="holds no"):
        load_all(tmp_path)


async def test_a_tenant_comes_changes_and_leaves(folder: Folder) -> None:
    """Whoever holds the policies sees it, without anything being made anew."""
    tenants = Tenants(folder.settings)
    policies = tenants.policies
    assert await looks(tenants) == frozenset()
    before = policies.version_of("a")
    folder.put("c")
    folder.put("a", queue="desk")
    assert await looks(tenants) == {"a", "c"}
    assert (policies.tenants(), list(policies.of("a").queues)) == (["a", "b", "c"], ["desk"])
    assert policies.version_of("a") != before
    (folder.path / "b.yaml").unlink()
    assert await looks(tenants) == {"b"}
    with pytest.raises(TenantUnknown):
        policies.of("b")


async def test_a_change_behind_a_link_is_seen(folder: Folder) -> None:
    """A mounted map's files are links, and what they lead to is put in its place whole."""
    for version in ("one", "two"):
        (folder.path / f"..{version}").mkdir()
    (folder.path / "a.yaml").rename(folder.path / "..one" / "a.yaml")
    text = (folder.path / "..one" / "a.yaml").read_text().replace("hotline", "desk")
    (folder.path / "..two" / "a.yaml").write_text(text)
    (folder.path / "..data").symlink_to("..one")
    (folder.path / "a.yaml").symlink_to("..data/a.yaml")
    tenants = Tenants(folder.settings)
    (folder.path / "..new").symlink_to("..two")
    (folder.path / "..new").replace(folder.path / "..data")
    assert await looks(tenants) == {"a"}
    assert list(tenants.policies.of("a").queues) == ["desk"]


async def test_of_a_file_that_turns_bad_the_last_good_policy_stays(folder: Folder) -> None:
    """It is a trouble until it is good again, and what others change meanwhile is taken."""
    tenants = Tenants(folder.settings)
    folder.spoil("a")
    folder.put("b", queue="desk")
    assert await looks(tenants) == {"b"}
    assert list(tenants.policies.of("a").queues) == ["hotline"]
    assert refused(tenants) == ["a.yaml"]
    folder.put("a", queue="desk")
    assert await looks(tenants) == {"a"}
    assert tenants.troubles == []


async def test_what_is_refused_is_refused_again(folder: Folder) -> None:
    """Also when another file's change has all of them looked at anew: here what an integration may do."""
    tenants = Tenants(folder.settings)
    folder.put("c")
    with (folder.path / "c.yaml").open("a") as file:
        file.write("integrations: {shop: {commands: [no_such_command]}}\n")
    for queue in ("desk", "shop"):
        folder.put("a", queue=queue)
        assert await looks(tenants) == {"a"}
        assert refused(tenants) == ["c.yaml"]


async def test_whoever_has_a_tenant_keeps_it(folder: Folder) -> None:
    """A file that names another one's tenant takes nothing, though it stands before it by name."""
    tenants = Tenants(folder.settings)
    folder.put("b", file="a2", queue="desk")
    folder.put("a", file="0", queue="desk")
    assert await looks(tenants) == frozenset()
    assert list(tenants.policies.of("b").queues) == ["hotline"]
    assert refused(tenants) == ["0.yaml", "a2.yaml"]


async def test_a_folder_that_is_away_changes_nothing(folder: Folder) -> None:
    """A mount that is gone is no order to close every door."""
    tenants = Tenants(folder.settings)
    folder.path.rename(folder.path.with_name("elsewhere"))
    assert await looks(tenants) == frozenset()
    assert tenants.policies.tenants() == ["a", "b"]
    assert tenants.troubles == [Trouble(code="policy.invalid")]
    folder.path.with_name("elsewhere").rename(folder.path)
    assert await looks(tenants) == frozenset()
    assert tenants.troubles == []


async def test_secrets_that_are_away_change_nothing(folder: Folder) -> None:
    """And are no trouble any more once they are back as they were."""
    tenants = Tenants(folder.settings)
    folder.secrets.rename(folder.secrets.with_name("elsewhere"))
    assert await looks(tenants) == frozenset()
    assert tenants.troubles == [Trouble(code="setting.invalid")]
    folder.secrets.with_name("elsewhere").rename(folder.secrets)
    assert await looks(tenants) == frozenset()
    assert (tenants.troubles, tenants.secrets["A_KEY"]) == ([], "a")


def dangles(path: Path) -> None:
    """As a link of a mounted map whose key was taken out."""
    path.symlink_to("nowhere")


def is_too_large(path: Path) -> None:
    path.write_bytes(b"#" * (POLICY_MAX_BYTES + 1))


@pytest.mark.parametrize("spoil", [dangles, Path.mkdir, is_too_large])
async def test_a_file_without_a_content_keeps_nobody_elses_from_being_taken(
    folder: Folder, spoil: Callable[[Path], None]
) -> None:
    """Whether another tenant's file can be read is nothing to her."""
    tenants = Tenants(folder.settings)
    spoil(folder.path / "c.yaml")
    folder.put("a", queue="desk")
    assert await looks(tenants) == {"a"}
    assert refused(tenants) == ["c.yaml"]
    folder.put("b", queue="desk")
    assert await looks(tenants) == {"b"}


async def test_a_change_that_cannot_be_acted_on_now_is_told_again(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ledger that is away for a while ends no process; what is no matter of time does."""
    monkeypatch.setattr("shared.tenants.LOOK_SECONDS", 0.0)
    tenants, told = Tenants(folder.settings), list[frozenset[str]]()

    async def changed(found: frozenset[str]) -> None:
        told.append(found)
        folder.put("b", queue="desk")
        raise EventUnwritable if "b" in found else LedgerUnavailable

    folder.put("a", queue="desk")
    with pytest.raises(EventUnwritable):
        await tenants.follow(changed)
    assert [*told[:1], *told[-1:]] == [{"a"}, {"a", "b"}]


async def test_a_file_that_is_missing_for_a_moment_is_not_gone(folder: Folder) -> None:
    """Some programs write a file anew by taking it away first."""
    tenants = Tenants(folder.settings)
    (folder.path / "a.yaml").unlink()
    assert await tenants.look() == frozenset()
    folder.put("a")
    assert await looks(tenants) == frozenset()
    assert tenants.policies.tenants() == ["a", "b"]


async def test_what_is_half_written_does_not_count(folder: Folder) -> None:
    """Also where the half is a policy, or a secret, that could be taken: whoever writes it is not done."""
    tenants = Tenants(folder.settings)
    whole = (folder.path / "a.yaml").read_text(), folder.secrets.read_text()
    folder.put("a", queue="desk")
    folder.put("b", queue="desk")
    folder.secrets.write_text("A_KEY=")
    assert await tenants.look() == frozenset()
    (folder.path / "a.yaml").write_text(whole[0])
    folder.secrets.write_text(whole[1])
    assert await tenants.look() == {"b"}
    assert await looks(tenants) == frozenset()
    assert list(tenants.policies.of("a").queues) == ["hotline"]
    assert tenants.secrets == {"A_KEY": "a", "B_KEY": "b"}


async def test_secrets_are_taken_up_too(folder: Folder) -> None:
    """A tenant that comes has secrets of its own; where secrets change everybody is told."""
    tenants = Tenants(folder.settings)
    held: Mapping[str, str] = tenants.secrets
    keys = ByTenant(tenants.policies, lambda policy: held.get(policy.lookup_secret))
    folder.secrets.write_text("A_KEY=other\nB_KEY=b\n")
    assert await looks(tenants) == {"a", "b"}
    assert dict(keys) == {"a": "other", "b": "b"}
    assert "c" not in keys
    assert keys.get("c", "none") == "none"
    with pytest.raises(TenantUnknown):
        keys["c"]


def needs_its_key(policy: Policy, secrets: Mapping[str, str]) -> None:
    """As the router does."""
    if policy.lookup_secret not in secrets:
        raise SettingInvalid("there is no key")


async def test_what_a_service_cannot_work_by_is_not_taken(folder: Folder) -> None:
    """Until it can: here the key of a tenant that came is put there later than its policy."""
    tenants = Tenants(folder.settings, needs_its_key)
    folder.put("c")
    assert await looks(tenants) == frozenset()
    assert tenants.troubles == [Trouble(code="setting.invalid", about="c.yaml")]
    folder.secrets.write_text("A_KEY=a\nB_KEY=b\nC_KEY=c\n")
    assert "c" in await looks(tenants)
    assert tenants.policies.tenants() == ["a", "b", "c"]


async def test_a_key_that_is_gone_stays_in_force(folder: Folder) -> None:
    """Who cannot be worked for without it keeps it until there is another; a secret that closes a door is gone."""
    folder.secrets.write_text("A_KEY=a\nB_KEY=b\nDOOR=d\n")
    tenants = Tenants(folder.settings, needs_its_key)
    folder.secrets.write_text("B_KEY=other\n")
    assert await looks(tenants) == {"a", "b"}
    assert tenants.secrets == {"A_KEY": "a", "B_KEY": "other"}
    assert tenants.troubles == [Trouble(code="setting.invalid", about="a.yaml")]
    folder.secrets.write_text("A_KEY=new\nB_KEY=other\n")
    assert await looks(tenants) == {"a", "b"}
    assert (tenants.secrets["A_KEY"], tenants.troubles) == ("new", [])


def test_the_version_before_may_come_back(folder: Folder) -> None:
    """What a policy leaves to us is not begun then; what it asks for is: it was brought to stay."""
    levels = (
        "service_levels: [{name: soon, first_response_seconds: 60}]\ntimes: {wait_seconds: [20]}\n"
        "overload: {live: {limits: [5]}}\n"
    )
    with (folder.path / "a.yaml").open("a") as file:
        file.write(levels)
    ours, before = (
        Tenants(replace(folder.settings, defaults=each)).policies for each in ("ours", "before")
    )
    assert ours.of("b").service_levels
    assert ours.of("b").times.wait_seconds
    assert not before.of("b").service_levels
    assert not before.of("b").times.wait_seconds
    assert ours.of("b").overload.limits("live")
    assert not before.of("b").overload.limits("live")
    assert before.of("a").service_levels == (ServiceLevel(name="soon", first_response_seconds=60),)
    assert before.of("a").times.wait_seconds == (20,)
    assert before.of("a").overload.limits("live") == (5,)


def test_policies_say_whose_changed() -> None:
    """Equal policies are no change, however often they are taken."""
    a, b = (Policy(tenant=each, queues={}, agents={}, accounts={}) for each in "ab")
    policies = Policies(a)
    assert policies.take([a]) == frozenset()
    assert policies.take([a, b]) == {"b"}
    assert policies.take([b]) == {"a"}
