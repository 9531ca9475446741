"""What the environment and the policy say, with the errors of a set-up: each says how to mend it."""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from deploy.embedded import state
from deploy.embedded.errors import (
    PolicyUnusable,
    SecretMissing,
    SecretPublic,
    SettingUnreadable,
)
from shared import errors, policies, secret_values, settings
from shared.policy import Policy


def read_settings() -> settings.Settings:
    """Return the settings of the environment. Raises: SettingUnreadable, which names the variable and its limit."""
    try:
        return settings.load()
    except errors.SettingInvalid as error:
        raise SettingUnreadable(str(error)) from error


def policy_path(named: str) -> Path:
    """Return the absolute path of a policy, or of a folder of them. Raises: PolicyUnusable if there is nothing."""
    path = Path(named).absolute()
    try:
        path.stat()
    except OSError as error:
        raise PolicyUnusable("the policy file cannot be read", reason=error.strerror) from error
    return path


def named_policy(chosen: argparse.Namespace) -> str | None:
    """Return where the policies are, as named, else as the running stack says; None: as the settings say."""
    return chosen.tenant_policy or state.read_status(state.data_folder(chosen.data)).policy or None


def read_policies(named: str | None) -> tuple[Path, list[Policy]]:
    """Return where the policies are, and each tenant's. `named`: their file or folder, else that of the settings.

    Raises: PolicyUnusable if one cannot be read or does not fit the schema, SettingUnreadable.
    """
    path = policy_path(named or read_settings().policy)
    try:
        return path, policies.load_all(path)
    except errors.TellonceError as error:
        raise PolicyUnusable(f"{PolicyUnusable.sentence}: {error}") from error


def read_policy(named: str | None, tenant: str | None) -> tuple[Path, Policy]:
    """Return the policy of a tenant, who need not be named where there is only one; else as `read_policies`."""
    path, found = read_policies(named)
    return path, policy_of(found, tenant)


def policy_of(found: Sequence[Policy], tenant: str | None) -> Policy:
    """Return the policy of a tenant, who need not be named where there is only one. Raises: PolicyUnusable."""
    for policy in found:
        if policy.tenant == tenant or (tenant is None and len(found) == 1):
            return policy
    there = ", ".join(each.tenant for each in found)
    raise PolicyUnusable(f"name one of the tenants with --tenant: {there}")


def read_secrets(policy: Path) -> dict[str, str]:
    """Return, by name, the secrets that there are for a policy, or a folder of them.

    Raises: SettingUnreadable for the secrets file, SecretPublic.
    """
    known = msgspec.structs.replace(read_settings(), policy=str(policy))
    try:
        return secret_values.load_secrets(known)
    except errors.SecretPublic as error:
        raise SecretPublic(str(error)) from error
    except errors.SettingInvalid as error:
        line = f":{error.details['line']}" if "line" in error.details else ""
        raise SettingUnreadable(
            f"{error}: {known.secrets_file}{line}",
            mend="name a readable file of NAME=value lines in TELLONCE_SECRETS_FILE, or unset it",
            **error.details,
        ) from error


def check_secrets(needed: Iterable[str], there: Mapping[str, str]) -> None:
    """Raises: SecretMissing, which names all of those needed that have no value."""
    missing = [name for name in needed if not there.get(name)]
    if missing:
        names = ", ".join(missing)
        raise SecretMissing(f"{SecretMissing.sentence}: {names}", missing=names)
