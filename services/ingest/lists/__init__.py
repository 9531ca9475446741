"""What a provider can be asked for besides what it sends: its list of calls. One file for each such channel, all pure.

Ingest asks, and puts each entry through the path of a delivery: see `handlers.call_list`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from services.ingest.domain.delivery import Secrets
from services.ingest.domain.fetching import FileRequest
from services.ingest.domain.list_marks import ListMark
from shared import modules
from shared.policy import Account


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a list. `body`: as it is stored, the same bytes as long as the provider says the same."""

    mark: ListMark
    body: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """What a provider answered. `onward`: from where the rest is asked for; `None` when that was all."""

    entries: Sequence[Entry]
    onward: datetime | None = None


class CallList(Protocol):
    """What every file here offers."""

    @property
    def NAME(self) -> str:  # noqa: N802  a constant of the module
        """The channel's name."""
        ...

    @property
    def HOSTS(self) -> Sequence[str]:  # noqa: N802  likewise
        """The hosts that are called, and no others."""
        ...

    @property
    def SECRETS(self) -> Sequence[str]:  # noqa: N802  likewise
        """The channel's names for the secrets with which it is asked."""
        ...

    @property
    def OVERLAP(self) -> timedelta:  # noqa: N802  likewise
        """How long before the last entry that was seen it is asked for again: so long entries change."""
        ...

    def ask(self, rules: Account, secrets: Secrets, since: datetime | None) -> FileRequest:
        """Return the request for what there is from a moment of the provider's clock on; `None`: the first time."""
        ...

    def read(self, body: bytes) -> Page | None:
        """Return what was answered, the oldest first; `None` when it is no list."""
        ...


LISTS: Mapping[str, CallList] = modules.by_name(__name__, __path__)
"""Every file here, by the name of its channel."""
