"""What vendors export of their history: one file each, pure. Each talk of it is imported as a delivery of its own."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from services.ingest.domain.archive import Talk
from services.ingest.domain.delivery import RawDelivery
from services.ingest.domain.outcome import Parsed
from shared import modules


class Archive(Protocol):
    """What every file here offers."""

    @property
    def NAME(self) -> str:  # noqa: N802  a constant of the module
        """The channel's name."""
        ...

    def talks(self, content: bytes) -> Sequence[Talk]:
        """Return what a file of an export holds, in its order. Raises: PayloadUnreadable for what is no export."""
        ...

    def parse(self, raw: RawDelivery) -> Parsed:
        """Return the report of one of them, as it is stored. Its content never makes `parse` raise."""
        ...


ARCHIVES: Mapping[str, Archive] = modules.by_name(__name__, __path__)
"""Every file here, by the name of its channel."""
