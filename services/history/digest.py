"""What a generation holds, as one number: SHA-256 over the rows of every table in key order."""

import hashlib
from dataclasses import dataclass

from services.history import sql, store
from services.history.tables import TABLES

TIMEOUT_SECONDS = store.LONG_TIMEOUT_SECONDS * (1 + len(TABLES))
"""Each table is read whole."""


@dataclass(frozen=True, slots=True)
class Digest:
    """`whole`: 64 hexadecimal digits over all tables; `tables`: of each, to see where two differ."""

    position: int
    whole: str
    tables: dict[str, str]

    def differing(self, other: "Digest") -> list[str]:
        """Return the tables whose rows differ, in the order of the tables."""
        return [table for table, digest in self.tables.items() if other.tables.get(table) != digest]


async def digest_of(session: store.Session) -> Digest:
    """Return the digest of the tables in the search path. Raises: ViewUnavailable.

    Call it in a repeatable-read transaction: all tables are read at one checkpoint, while the projector goes on.
    """
    statements = {"checkpoint": sql.query("digest_checkpoint")}
    statements |= {table.row.table: sql.digesting(table.row) for table in TABLES}
    tables = {}
    for name, statement in statements.items():
        hashed = hashlib.sha256()
        await session.copy_out(statement, hashed.update)
        tables[name] = hashed.hexdigest()
    lines = "".join(f"{table} {digest}\n" for table, digest in tables.items())
    row = await session.fetch_one("position")
    assert row is not None
    return Digest(row["position"], hashlib.sha256(lines.encode()).hexdigest(), tables)
