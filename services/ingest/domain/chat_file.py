"""How a file of a chat page lies in RAW: a line of JSON that says what it is, and behind it its bytes as they are."""

from services.ingest.domain.delivery import RawDelivery

FILE_TYPE = "application/x-tellonce-chat-file"
"""The content type of such a delivery."""
_LINE_END = b"\n"


def joined(head: bytes, content: bytes) -> bytes:
    """Return what is stored. `head`: JSON without a line's end."""
    return head + _LINE_END + content


def parts(raw: RawDelivery) -> tuple[bytes, bytes | None]:
    """Return the JSON of a delivery and the file behind it; `None` for a delivery that is none."""
    if raw.header("content-type") != FILE_TYPE:
        return raw.body, None
    head, _, content = raw.body.partition(_LINE_END)
    return head, content
