"""Files of our own web chat: their bytes are the delivery."""

from collections.abc import Iterable, Sequence

from services.ingest.domain import chat_file
from services.ingest.domain.delivery import RawDelivery
from services.ingest.domain.fetching import no_fetch as fetch

__all__ = ["HOSTS", "NAME", "contents", "fetch"]

NAME = "chat"
HOSTS: Sequence[str] = ()


def contents(raw: RawDelivery) -> Iterable[bytes]:
    """Give the file that the page sent."""
    _, content = chat_file.parts(raw)
    return () if content is None else (content,)
