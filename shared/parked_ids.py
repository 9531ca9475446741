"""The ids under which operators name what waits for them: set aside, or a delivery that nobody could read.

A message is `<journal>:<its sequence in its stream>-<mark>`, with a mark of its stream and content: another stream, or
one that was made anew, has other messages at the same sequences. An id without a mark is older. A delivery is
`<journal>:unread-<sequence in the ledger>`, where `payload.quarantined` stands.
"""

from shared import ids

UNREAD = "unread-"
MARK_CHARACTERS = 8


def of_message(journal: str, stream: str, sequence: int, sha256: str) -> str:
    """Return the id of the message with this content at a sequence of a stream."""
    return f"{journal}:{sequence}-{ids.scoped_id(stream, sha256)[:MARK_CHARACTERS]}"


def of_unread(journal: str, sequence: int) -> str:
    """Return the id of the delivery that the ledger says at this sequence could not be read."""
    return f"{journal}:{UNREAD}{sequence}"


def journal_of(name: str) -> str:
    """Return the aggregate on which it stands."""
    return name.rpartition(":")[0]


def unread_at(name: str) -> int | None:
    """Return where the ledger says that the delivery could not be read; `None` for any other id."""
    place = name.rpartition(":")[2]
    return int(place.removeprefix(UNREAD)) if place.startswith(UNREAD) else None
