"""Files of mails: their bytes are parts of the mail."""

from collections.abc import Iterable, Sequence

from services.ingest.domain import mail_body, mime
from services.ingest.domain.delivery import RawDelivery
from services.ingest.domain.fetching import no_fetch as fetch

__all__ = ["HOSTS", "NAME", "contents", "fetch"]

NAME = "email"
HOSTS: Sequence[str] = ()


def contents(raw: RawDelivery) -> Iterable[bytes]:
    """Give what the attachments that are described hold."""
    return mime.contents(mail_body.whole(raw.body))
