"""Where the files of messages are, with the provider or in the delivery: one file for each such channel, all pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from services.ingest.domain.delivery import RawDelivery
from services.ingest.domain.fetching import Asking, WantedFile
from shared import modules


class Source(Protocol):
    """What every file here offers."""

    @property
    def NAME(self) -> str:  # noqa: N802  a constant of the module
        """The channel's name."""
        ...

    @property
    def HOSTS(self) -> Sequence[str]:  # noqa: N802  likewise
        """The hosts that are called, and no others; `*.` before a name stands for all below it."""
        ...

    def fetch(self, wanted: WantedFile) -> Asking:
        """Give the requests that lead to a file; the last one is its own. Raises: Unfetchable."""
        ...

    def contents(self, raw: RawDelivery) -> Iterable[bytes]:
        """Give the bytes of the files that a delivery holds."""
        ...


SOURCES: Mapping[str, Source] = modules.by_name(__name__, __path__)
"""Every file here, by the name of its channel."""
