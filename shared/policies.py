"""The policies of all tenants that a process serves: of one file, or of a folder's `*.yaml`, one tenant each.

They change while the process runs (docs/adr/0075): whoever needs one asks for it when it is needed, and keeps nothing
that was made of it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from typing_extensions import override

from shared import commands, errors, queries
from shared.policy import Policy, content_of, parse

T = TypeVar("T")

Contents = Mapping[str, bytes | str]
"""The content of each file of a folder, or why there is none."""

Check = Callable[[Policy], None]
"""Raises: TellonceError for a policy that a service cannot work by."""


def take_any(policy: Policy) -> None:
    """For whoever works by any policy."""


def as_written(policy: Policy) -> Policy:
    """A policy is taken as what it says."""
    return policy


class Policies:
    """The policies in force, by tenant."""

    def __init__(self, *policies: Policy) -> None:
        self._by_tenant: dict[str, Policy] = {}
        self._versions: dict[str, str] = {}
        self.take(policies)

    def of(self, tenant: str) -> Policy:
        """Raises: TenantUnknown."""
        policy = self._by_tenant.get(tenant)
        if policy is None:
            raise errors.TenantUnknown()
        return policy

    def version_of(self, tenant: str) -> str:
        """Return the version of a tenant's policy. Raises: TenantUnknown."""
        self.of(tenant)
        return self._versions[tenant]

    def tenants(self) -> list[str]:
        return sorted(self._by_tenant)

    def versions(self) -> dict[str, str]:
        """Return the version of each tenant's policy."""
        return {tenant: self._versions[tenant] for tenant in self.tenants()}

    def take(self, policies: Iterable[Policy]) -> frozenset[str]:
        """Put these in the place of all others; return the tenants whose policy came, changed or left."""
        before, self._by_tenant = self._by_tenant, {each.tenant: each for each in policies}
        now = self._by_tenant
        changed = {each for each in {*before, *now} if before.get(each) != now.get(each)}
        self._versions |= {each: now[each].version for each in changed & now.keys()}
        return frozenset(changed)


class ByTenant(Mapping[str, T]):
    """What is made of the policy of each tenant, at the moment when it is asked for.

    Who is taken for there and has left meanwhile is TenantUnknown, as in `Policies`: what was to be done is set aside.
    """

    def __init__(self, policies: Policies, make: Callable[[Policy], T]) -> None:
        self._policies = policies
        self._make = make

    @override
    def __getitem__(self, tenant: str) -> T:
        """Raises: TenantUnknown."""
        return self._make(self._policies.of(tenant))

    @override
    def get(self, tenant: str, default: Any = None, /) -> Any:
        there = tenant in self
        return self[tenant] if there else default

    @override
    def __contains__(self, tenant: object) -> bool:
        return tenant in self._policies.tenants()

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._policies.tenants())

    @override
    def __len__(self) -> int:
        return len(self._policies.tenants())


def load_all(path: str | Path) -> list[Policy]:
    """Return the checked policies of a file or a folder, by tenant. Raises: PolicyInvalid, which names the file."""
    return PolicyFiles(path).load()


class PolicyFiles:
    """Reads a file or a folder of policies. `refused`: what is wrong with the files that could not be taken, by name.

    Of a file that was good once the last good policy stays, until the file is good again or gone.
    """

    def __init__(self, path: str | Path, take: Callable[[Policy], Policy] = as_written) -> None:
        """`take`: what a policy is taken as."""
        self._path = Path(path)
        self._take = take
        self._parsed: dict[str, tuple[bytes, Policy]] = {}
        self._taken: dict[str, Policy] = {}
        self.refused: dict[str, errors.TellonceError] = {}

    def load(self, check: Check = take_any) -> list[Policy]:
        """Return the policies if all of them are good. Raises: PolicyInvalid, and what `check` does."""
        found = self.read(check)
        for error in self.refused.values():
            raise error
        return found

    def read(self, check: Check = take_any, contents: Contents | None = None) -> list[Policy]:
        """Return the policies that are to be in force now, by tenant; each was `check`ed once.

        `contents`: of the files, if they were read already.
        Raises: PolicyInvalid where there are none at all: a folder that is not there leaves everybody as they are.
        """
        self.refused = {}
        found: dict[str, Policy] = {}
        contents = self.contents() if contents is None else contents
        for name, content in contents.items():
            try:
                found[name] = policy = self._policy(name, content)
                check(policy)
            except errors.TellonceError as error:
                self._refuse(name, error)
                found.pop(name, None)
                if name in self._taken:
                    found[name] = self._taken[name]
        self._parsed = {name: known for name, known in self._parsed.items() if name in contents}
        self._taken = self._without_doubles(found)
        return sorted(self._taken.values(), key=lambda policy: policy.tenant)

    def contents(self) -> Contents:
        """Read all files: a file system may say nothing of a change, as one of mounted maps does.

        Raises: PolicyInvalid where there is no folder, or nothing in it, and for a file that stands alone.
        """
        if not self._path.is_dir():
            return {self._path.name: content_of(self._path)}
        found = sorted(each for each in self._path.glob("*.yaml") if not each.name.startswith("."))
        if not found:
            raise errors.PolicyInvalid("the folder of policies holds no *.yaml")
        return {path.name: _content_or_why_not(path) for path in found}

    def _policy(self, name: str, content: bytes | str) -> Policy:
        """Raises: PolicyInvalid."""
        if isinstance(content, str):
            raise errors.PolicyInvalid(content)
        known = self._parsed.get(name)
        if known is None or known[0] != content:
            policy = self._take(parse(content))
            _check_integrations(policy)
            known = self._parsed[name] = content, policy
        return known[1]

    def _without_doubles(self, found: Mapping[str, Policy]) -> dict[str, Policy]:
        """Leave out what names a tenant or a lookup key that is another file's: whoever had it keeps it."""
        kept: dict[str, Policy] = {}

        def is_new(name: str) -> bool:
            return name not in self._taken or self._taken[name].tenant != found[name].tenant

        for name in sorted(found, key=lambda name: (is_new(name), name)):
            complaint = _double(found[name], kept)
            if complaint is None:
                kept[name] = found[name]
                continue
            self._refuse(name, errors.PolicyInvalid(complaint))
            if name in self._taken and _double(self._taken[name], kept) is None:
                kept[name] = self._taken[name]
        return kept

    def _refuse(self, name: str, error: errors.TellonceError) -> None:
        self.refused[name] = type(error)(f"{name}: {error}", **{**error.details, "file": name})


def _content_or_why_not(path: Path) -> bytes | str:
    try:
        return content_of(path)
    except errors.PolicyInvalid as error:
        return str(error)


def _check_integrations(policy: Policy) -> None:
    """Raises: PolicyInvalid for an integration that may do what there is not."""
    for name, integration in policy.integrations.items():
        unknown = {*integration.commands} - commands.COMMANDS.keys()
        unknown |= {*integration.queries} - queries.QUERIES.keys()
        for each in sorted(unknown):
            raise errors.PolicyInvalid(f"integration {name}: there is no {each}")


def _double(policy: Policy, others: Mapping[str, Policy]) -> str | None:
    """Return what of a policy is another file's alone; `None` when nothing is."""
    for name, other in others.items():
        if other.tenant == policy.tenant:
            return f"its tenant is that of {name}"
        if other.lookup_secret == policy.lookup_secret:
            return f"its lookup_secret is that of {name}: each tenant needs its own"
    return None
