"""Files of forms: their bytes are parts of the form."""

from collections.abc import Iterable, Sequence

from services.ingest.domain import form_body
from services.ingest.domain.delivery import RawDelivery
from services.ingest.domain.fetching import no_fetch as fetch

__all__ = ["HOSTS", "NAME", "contents", "fetch"]

NAME = "form"
HOSTS: Sequence[str] = ()


def contents(raw: RawDelivery) -> Iterable[bytes]:
    """Give what the files hold."""
    sent = form_body.files(raw.body, raw.header("content-type") or "")
    return (each.content for each in sent)
