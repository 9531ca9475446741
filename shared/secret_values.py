"""The secrets that policies and settings name: NAME=value lines of a file; variables of the environment win."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from shared import addresses, errors, policies
from shared.policy import Policy
from shared.settings import EMBEDDED_SECRETS, Settings

FILES_ACCESS_KEY, FILES_SECRET_KEY = "FILES_ACCESS_KEY", "FILES_SECRET_KEY"
"""The names of the secrets of the store that `files_url` names."""


def needed_secrets(tenant: Policy) -> list[str]:
    """Return the names of the secrets that a policy needs, each once.

    Each account names in `secrets` the keys that its channel needs; an account that lacks one, or whose secret has no
    value, takes no request (`door.signature_invalid`), and its chat socket vouches for nobody. `lookup_secret`
    (`LOOKUP_KEY` unless the policy says otherwise) names the key under which the handles of customers are hashed:
    without it the router does not start, and under another one nobody is known any more. Those of `reply_secrets` mark
    our mails: router and notify do not start without one that is named.
    """
    accounts = tenant.accounts.values()
    of_accounts = {name for account in accounts for name in account.secrets.values()}
    return sorted(of_accounts | {tenant.lookup_secret, *tenant.reply_secrets})


def load_secrets(settings: Settings, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return, by name, the secrets in the file and those that the policies need.

    A secret stands in the secrets file or in an environment variable of its name, which wins unless it is empty.
    One that a policy needs and that stands nowhere is left out. No other variable is read.
    Raises: SettingInvalid when the file cannot be read or a line is not NAME=value; SecretPublic; PolicyInvalid.
    """
    return secrets_of(settings, policies.load_all(settings.policy), environment)


def secrets_of(
    settings: Settings,
    tenants: Iterable[Policy],
    environment: Mapping[str, str] = os.environ,
    *,
    in_file: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """As `load_secrets`, for policies that are read already. `in_file`: what the secrets file holds, if it is too."""
    found = secrets_in(Path(settings.secrets_file)) if in_file is None else {**in_file}
    needed = [name for each in tenants for name in needed_secrets(each)]
    if settings.files_url:
        needed += [FILES_ACCESS_KEY, FILES_SECRET_KEY]
    for name in {*found, *needed}:
        if environment.get(name):
            found[name] = environment[name]
    if _is_reached_by_others(settings):
        _refuse_public({name: found[name] for name in needed if name in found})
    return found


def _is_reached_by_others(settings: Settings) -> bool:
    hosts = [settings.ingest_host, urlsplit(settings.public_url).hostname]
    return not all(addresses.is_loopback(host) for host in hosts if host)


def _refuse_public(secrets: Mapping[str, str]) -> None:
    """Raises: SecretPublic when one is a secret of the embedded stack: everybody can read those."""
    if not EMBEDDED_SECRETS.exists():
        return
    public = set(secrets_in(EMBEDDED_SECRETS).values())
    names = ", ".join(sorted(name for name, value in secrets.items() if value in public))
    if names:
        raise errors.SecretPublic(f"{errors.SecretPublic.sentence}: {names}")


def secrets_in(path: Path) -> dict[str, str]:
    """Return the NAME=value lines of a file. Raises: SettingInvalid."""
    found: dict[str, str] = {}
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise errors.SettingInvalid("the secrets file cannot be read", reason=reason) from None
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals:
            raise errors.SettingInvalid("a line of the secrets file is not NAME=value", line=number)
        found[name.strip()] = value.strip()
    return found
