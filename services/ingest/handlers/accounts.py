"""Which doors there are: the accounts of the policy whose channel we know, with their secrets."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from services.ingest.channels import CHANNELS, Channel
from services.ingest.domain.delivery import Secrets
from shared.calendars import Calendar
from shared.errors import AccountUnknown, TenantUnknown
from shared.policies import Policies
from shared.policy import Account


@dataclass(frozen=True, slots=True)
class Door:
    """An account of a tenant. `secrets`: the secrets that have a value, by the channel's names for them."""

    tenant: str
    channel: Channel
    account: str
    rules: Account
    secrets: Secrets

    @property
    def name(self) -> str:
        """`<channel>/<account>`, as the policy names it."""
        return f"{self.channel.NAME}/{self.account}"

    @property
    def place(self) -> str:
        """`<tenant>/<channel>/<account>`, as troubles name it."""
        return f"{self.tenant}/{self.name}"

    @property
    def open(self) -> bool:
        """Whether every secret is there that the channel needs; else no request is taken."""
        return all(name in self.secrets for name in self.channel.SECRETS)


class Accounts:
    """All doors of all tenants."""

    def __init__(self, policies: Policies, secrets: Mapping[str, str]) -> None:
        self._policies = policies
        self._secrets = secrets

    def find(self, tenant: str, channel: str, account: str) -> Door:
        """Raises: TenantUnknown, AccountUnknown."""
        rules = self._policies.of(tenant).account(channel, account)
        known = CHANNELS.get(channel)
        if rules is None or known is None:
            raise AccountUnknown
        return Door(tenant, known, account, rules, self._values(rules))

    def has(self, tenant: str, channel: str, account: str) -> bool:
        """Tell whether there is such a door."""
        try:
            self.find(tenant, channel, account)
        except (TenantUnknown, AccountUnknown):
            return False
        return True

    def of_tenant(self, tenant: str) -> Iterator[Door]:
        """Give the doors of a tenant by name. Raises: TenantUnknown."""
        for name in sorted(self._policies.of(tenant).accounts):
            channel, _, account = name.partition("/")
            if channel in CHANNELS:
                yield self.find(tenant, channel, account)

    def departed(self, tenant: str, name: str) -> Door | None:
        """Return the door of an account that the policy no longer has, closed; `None` when its channel is gone too.

        Raises: TenantUnknown.
        """
        channel, _, account = name.partition("/")
        if channel not in CHANNELS:
            return None
        rules = Account(queue="", region=self._policies.of(tenant).region)
        return Door(tenant, CHANNELS[channel], account, rules, {})

    def all(self) -> Iterator[Door]:
        for tenant in self._policies.tenants():
            yield from self.of_tenant(tenant)

    def check(self, tenant: str) -> None:
        """Raises: TenantUnknown."""
        self._policies.of(tenant)

    def hours(self, door: Door) -> Calendar:
        """Return when somebody is there for what comes in by a door. Raises: TenantUnknown."""
        return self._policies.of(door.tenant).hours(door.rules.queue, door.channel.MEDIUM)

    def _values(self, rules: Account) -> Secrets:
        found = {name: self._secrets.get(named) for name, named in rules.secrets.items()}
        return {name: value for name, value in found.items() if value}
