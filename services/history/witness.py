"""What the tables remember of the ledger that they were made of, for whoever compares the two."""

import hashlib

from services.history import store
from shared.errors import ViewUnavailable
from shared.events import EventId
from shared.ledger.identity import Mark


async def mark(dsn: str, adopted: EventId | None) -> Mark | None:
    """Return what stood where the newest row was made.

    `adopted`: the event by which an operator adopted the ledger last, if any. `None` while there are no rows, and when
    none was made of that event: history builds them anew then. Raises: ViewUnavailable.
    """
    async with (
        store.owner_session(dsn, watched=False) as session,
        session.transaction("repeatable_read", readonly=True),
    ):
        row = await session.fetch_one("last_event") if await _entered(session) else None
        if row is None or not await _knows(session, adopted):
            return None
    return Mark(position=row["sequence"], sha256=hashlib.sha256(row["body"]).hexdigest())


async def _knows(session: store.Session, adopted: EventId | None) -> bool:
    return adopted is None or bool(await session.fetch("ids_known", [adopted]))


async def _entered(session: store.Session) -> bool:
    try:
        return await session.fetch_one("enter_live") is not None
    except ViewUnavailable as error:
        if error.details.get("reason") == store.NOT_MIGRATED:
            return False
        raise
