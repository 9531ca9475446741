"""Which tenants a process serves, and their secrets: read at its start, and taken up anew while it runs.

A file that cannot be taken while the process runs changes nothing and is a trouble of its health; one that may be half
written counts when two looks in a row saw the same (docs/adr/0075).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import structlog

from shared import errors
from shared.policies import Contents, Policies, PolicyFiles, as_written
from shared.policy import Policy, as_before
from shared.readiness import Trouble
from shared.secret_values import needed_secrets, secrets_in, secrets_of
from shared.settings import Settings

LOOK_SECONDS = 1.0

Seen = tuple[Contents, dict[str, str]]
"""The contents of the policies' files, by name, and of the secrets file."""
Check = Callable[[Policy, Mapping[str, str]], None]
"""Takes a policy and the secrets. Raises: TellonceError where the service cannot work by them."""
Changed = Callable[[frozenset[str]], Awaitable[None]]
"""Is told the tenants whose policy came, changed or left, or whose secrets may have changed."""

log = structlog.get_logger("tenants")


async def nothing_changes(tenants: frozenset[str]) -> None:
    """For whoever keeps nothing that is made of a policy."""


def take_any(policy: Policy, secrets: Mapping[str, str]) -> None:
    """For a service that works by any policy."""


class Tenants:
    """`policies`, `secrets`: those in force, whose contents change; `troubles`: what was not taken, file by file."""

    def __init__(self, settings: Settings, check: Check = take_any) -> None:
        """Raises: PolicyInvalid, SettingInvalid, SecretPublic, and what `check` does."""
        self._settings = settings
        self._check_with = check
        take = as_before if settings.defaults == "before" else as_written
        self._files = PolicyFiles(settings.policy, take)
        self._counts = self._seen = self._contents()
        self._looked = True
        policies = self._files.load(self._check)
        self.policies = Policies(*policies)
        self.secrets = self._secrets_of(policies)
        self.troubles: list[Trouble] = []

    async def follow(self, changed: Changed = nothing_changes) -> None:
        """Look for ever, and say whose policy changed; what cannot be done about that now is tried again."""
        waiting: frozenset[str] = frozenset()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            waiting |= await self.look()
            try:
                if waiting:
                    await changed(waiting)
            except errors.TellonceError as error:
                if not error.retryable:
                    raise
                log.warning("policy_change_waits", code=error.code, tenants=sorted(waiting))
            else:
                waiting = frozenset()

    async def look(self) -> frozenset[str]:
        """Look once; return the tenants whose policy changed, all of them where secrets did."""
        try:
            counts = self._counting(await asyncio.to_thread(self._contents))
            if self._looked and counts == self._counts:
                return frozenset()
            self._counts = counts
            policies = await asyncio.to_thread(self._files.read, self._check, counts[0])
            secrets = self._workable(policies, self._secrets_of(policies))
        except errors.TellonceError as error:
            self._looked = False  # what was seen last may be there again: then it is no news, but no trouble either
            self._refuse({"": error})
            return frozenset()
        self._looked = True
        self._refuse(self._files.refused)
        anew = secrets != self.secrets
        self.secrets.clear()
        self.secrets.update(secrets)
        changed = self.policies.take(policies)
        for tenant in changed:
            log.info("policy_taken_up", tenant=tenant)
        return changed | (frozenset(self.policies.tenants()) if anew else frozenset())

    def _contents(self) -> tuple[Contents, dict[str, str]]:
        return self._files.contents(), secrets_in(Path(self._settings.secrets_file))

    def _counting(self, seen: Seen) -> Seen:
        """Return what counts of what is seen: what was seen in the look before as well, else what counted so far."""
        before = self._seen
        if seen != before:  # else what is held already is held once
            self._seen = seen
        files: dict[str, bytes | str] = {}
        for name in sorted({*self._counts[0], *seen[0]}):
            same = seen[0].get(name) == before[0].get(name)
            content = (self._seen if same else self._counts)[0].get(name)
            if content is not None:
                files[name] = content
        return files, (self._seen if seen[1] == before[1] else self._counts)[1]

    def _check(self, policy: Policy) -> None:
        self._check_with(policy, self._secrets_of([policy]))

    def _secrets_of(self, policies: Sequence[Policy]) -> dict[str, str]:
        return secrets_of(self._settings, policies, in_file=self._counts[1])

    def _workable(self, policies: Sequence[Policy], secrets: dict[str, str]) -> dict[str, str]:
        """Return the secrets that are to be in force: who cannot be worked for without one that is gone keeps it."""
        for policy in policies:
            try:
                self._check_with(policy, secrets)
            except errors.TellonceError:
                gone = [name for name in needed_secrets(policy) if not secrets.get(name)]
                secrets |= {name: self.secrets[name] for name in gone if name in self.secrets}
        return secrets

    def _refuse(self, refused: Mapping[str, errors.TellonceError]) -> None:
        """Keep what is wrong for whoever asks how the service is, and log it once."""
        before = self.troubles
        self.troubles = [Trouble(code=error.code, about=name) for name, error in refused.items()]
        if self.troubles != before:
            for name, error in refused.items():
                log.error("policy_not_taken", file=name, code=error.code, reason=str(error))
