"""Changes a row of a table by hand, with psql: for stories that must notice the change."""

import asyncio
import re

from deploy.embedded import binaries
from deploy.story.errors import StepFailed

PSQL_SECONDS = 20.0
_CHANGE = r"""
SELECT format('UPDATE %1$I.%2$I SET %3$I = %4$s WHERE ctid = (SELECT ctid FROM %1$I.%2$I WHERE %3$I IS NOT NULL
LIMIT 1)', table_schema, table_name, column_name, CASE
    WHEN data_type = 'bytea' THEN format('%I || ''\x00''::bytea', column_name)
    WHEN data_type IN ('jsonb', 'json') THEN format('''{"changed": "by hand"}''::%s', data_type)
    ELSE format('%I || '' (changed by hand)''', column_name) END)
FROM information_schema.columns
WHERE table_name = '{table}' AND data_type IN ('text', 'bytea', 'jsonb', 'json')
    AND table_schema NOT IN ('pg_catalog', 'information_schema')
ORDER BY (column_name IN ('text', 'value', 'body', 'actor')) DESC, table_schema DESC, ordinal_position DESC
LIMIT 1
\gexec
"""
"""Writes the statement from the catalogue, so that the player needs no knowledge of history's columns."""


async def tamper(dsn: str, table: str) -> None:
    """Change one row. Raises: StepFailed (`step.nothing_to_tamper`) when no row was changed."""
    psql = binaries.postgres_folder() / "psql"
    process = await asyncio.create_subprocess_exec(
        str(psql),
        "--no-psqlrc",
        "--set=ON_ERROR_STOP=1",
        dsn,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    script = _CHANGE.replace("{table}", table).encode()
    try:
        output, _ = await asyncio.wait_for(process.communicate(script), PSQL_SECONDS)
    except TimeoutError:
        process.kill()
        raise StepFailed("step.nothing_to_tamper", "psql does not end") from None
    text = output.decode(errors="replace").strip()
    if process.returncode != 0 or re.search(r"\bUPDATE [1-9]", text) is None:
        raise StepFailed("step.nothing_to_tamper", f"no row of {table} was changed", got=text)
