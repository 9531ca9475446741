"""Who we are on the bus: an nkey, whose seed stands in a file and never leaves it (docs.nats.io, "NKeys").

The server knows public keys only, and has a caller sign what it has just made up. The one file that imports `nkeys`.
"""

import base64
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nkeys  # type: ignore[import-untyped]

from shared import errors

INBOX = "_INBOX"
"""Where whoever asks waits for the answer: the prefix of every client. Any other subject may be a stream's."""
INBOXES = (INBOX, "_R_")
"""Those of the same account, and where the server carries an answer on to another one."""
INBOX_CHARACTERS = 16
"""So much of a public key tells whose inbox it is."""
SEED_BYTES = 32
SEED_MODE = 0o600


@dataclass(frozen=True, slots=True)
class Nkey:
    """A user's key: what the server knows of it, and what only she has."""

    public: str
    seed: str = field(repr=False)

    def sign(self, nonce: str) -> str:
        """Return the signature of what a server made up, as it goes over the wire."""
        return base64.b64encode(_pair(self.seed).sign(nonce.encode())).decode()


def read(seed_file: str | Path) -> Nkey:
    """Return the key whose seed stands in a file. Raises: SettingInvalid."""
    try:
        seed = Path(seed_file).read_text("ascii").strip()
        return Nkey(_pair(seed).public_key.decode(), seed)
    except OSError as error:
        raise errors.SettingInvalid(
            "the file with the seed for the bus cannot be read", reason=error.strerror
        ) from None
    except (nkeys.NkeysError, ValueError) as error:
        raise errors.SettingInvalid("the file for the bus holds no seed of an nkey") from error


def _pair(seed: str) -> Any:
    return nkeys.from_seed(bytearray(seed.encode()))


def make(seed_file: Path) -> Nkey:
    """Write a new seed, which only the owner of the file may read; one that is there is kept. Returns the key.

    Raises: OSError, SettingInvalid.
    """
    if not seed_file.exists():
        seed = nkeys.encode_seed(secrets.token_bytes(SEED_BYTES), nkeys.PREFIX_BYTE_USER)
        draft = seed_file.with_name(f"{seed_file.name}.{os.getpid()}.draft")
        with open(draft, "wb", opener=lambda name, flags: os.open(name, flags, SEED_MODE)) as file:
            file.write(seed)  # and no line end: not every client cuts it off
        draft.replace(seed_file)
    return read(seed_file)


def inbox_of(public: str) -> str:
    """Return the prefix of the inboxes of whoever has a key: nobody else may listen there."""
    return f"{INBOX}.{public[:INBOX_CHARACTERS]}"
