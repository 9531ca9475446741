"""What the environment and the policy say, with the errors of a set-up: each says how to mend it."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from deploy.embedded.errors import (
    PolicyUnusable,
    SecretMissing,
    SecretPublic,
    SettingUnreadable,
)
from shared import errors, settings
from shared import policy as policies
from shared.policy import Policy


def read_settings() -> settings.Settings:
    """Return the settings of the environment. Raises: SettingUnreadable, which names the variable and its limit."""
    try:
        return settings.load()
    except errors.SettingInvalid as error:
        raise SettingUnreadable(str(error)) from error


def policy_file(named: str) -> Path:
    """Return the policy file's absolute path. Raises: PolicyUnusable if it cannot be read."""
    path = Path(named).absolute()
    try:
        path.read_bytes()
    except OSError as error:
        raise PolicyUnusable("the policy file cannot be read", reason=error.strerror) from error
    return path


def read_policy(named: str | None) -> tuple[Path, Policy]:
    """Return the path and the content of the policy. `named`: its file, else the file named in the settings.

    Raises: PolicyUnusable if it cannot be read or does not fit the schema, SettingUnreadable.
    """
    path = policy_file(named or read_settings().policy)
    try:
        return path, policies.load(path)
    except errors.TellonceError as error:
        raise PolicyUnusable(f"{PolicyUnusable.sentence}: {error}") from error


def read_secrets(policy: Path) -> dict[str, str]:
    """Return, by name, the secrets that there are for a policy.

    Raises: SettingUnreadable for the secrets file, SecretPublic.
    """
    known = msgspec.structs.replace(read_settings(), policy=str(policy))
    try:
        return settings.load_secrets(known)
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
