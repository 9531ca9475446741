"""What the driver raises when Postgres dies under it, as history's store tells it."""

from typing import Any

import asyncpg
import pytest

from services.history.store import Session
from shared.errors import ViewUnavailable


class Torn:
    """A connection whose server died within an operation: the driver finds its own state impossible."""

    async def fetchrow(self, *_: Any) -> Any:
        raise asyncpg.InternalClientError(
            "cannot switch to state 15; another operation is in progress"
        )


async def test_a_connection_torn_by_a_death_is_a_view_that_is_away() -> None:
    """It is mended like any lost connection, by a new one: readiness is kept, nothing halts."""
    with pytest.raises(ViewUnavailable):
        await Session(Torn()).fetch_one("position")
