-- Generations, their checkpoint, and what is the same for all tables; each table's own queries stand beside it in
-- tables/*.sql. Every query has a name and one sentence on why it is there.
-- The tables stand in the schema of a generation, which is first in the search path. Everything here can be thrown away
-- and rebuilt from the ledger.
-- Texts never hold a NUL byte here (Postgres refuses it): it stands as U+2400; columns of bytes hold it verbatim.

-- == generations == (1414288453 is the class of all our advisory locks)

-- name: create_generation
-- Why: one table outside all generations says which of them answers.
CREATE TABLE IF NOT EXISTS public.generation (
    number integer PRIMARY KEY,
    schema text NOT NULL UNIQUE,
    version integer NOT NULL,
    state text NOT NULL CHECK (state IN ('live', 'building', 'kept')),
    made timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX IF NOT EXISTS generation_one_live ON public.generation (state) WHERE state = 'live';

-- name: migration_lock
-- Why: two processes that start at once must not make the same tables.
SELECT pg_advisory_xact_lock(1414288453, 0)

-- name: rebuild_lock
-- Why: one rebuild at a time, or they would drop each other's tables.
SELECT pg_try_advisory_lock(1414288453, -1) AS taken

-- name: generation_lock
-- Why: one projector per generation; the others stand by until this answers true.
SELECT pg_try_advisory_lock(1414288453, $1::integer) AS taken

-- name: generation_live
-- Why: readers and the projector must know which schema answers.
SELECT number, schema, version FROM public.generation WHERE state = 'live'

-- name: generation_next
-- Why: a new generation never reuses the number of an older one.
SELECT coalesce(max(number), 0) + 1 AS number FROM public.generation

-- name: generation_add
-- Why: a schema is a generation only once it is listed.
INSERT INTO public.generation (number, schema, version, state) VALUES ($1, $2, $3, $4)

-- name: generations_building
-- Why: what an interrupted or failed rebuild left is dropped by the next one.
SELECT number, schema, version FROM public.generation WHERE state = 'building' ORDER BY number

-- name: generation_remove
-- Why: a dropped schema must not stay listed.
DELETE FROM public.generation WHERE number = $1 AND state <> 'live'

-- name: generation_retire
-- Why: the old generation stays for a way back, but nothing is written to it any more.
UPDATE public.generation SET state = 'kept' WHERE state = 'live'

-- name: generation_promote
-- Why: the second half of the switch, in the same transaction.
UPDATE public.generation SET state = 'live' WHERE number = $1

-- name: write_create_schema
-- Why: a schema's name cannot be an argument; Postgres itself quotes it.
SELECT format('CREATE SCHEMA %I', $1::text) AS statement

-- name: write_drop_schema
-- Why: likewise, for a generation that is no longer wanted.
SELECT format('DROP SCHEMA IF EXISTS %I CASCADE', $1::text) AS statement

-- name: enter_for_good
-- Why: the projector's connection works in one generation only.
SELECT set_config('search_path', $1, false)

-- name: enter_live
-- Why: a reader's transaction sees one generation, whatever is switched meanwhile.
SELECT set_config('search_path', schema, true) FROM public.generation WHERE state = 'live'

-- name: begin_live
-- Why: a reader's snapshot and its generation, at the price of one round trip; without a live one, no row comes back.
-- The connection stays in the generation for readers that need one SELECT and no transaction. Lists are planned for what
-- is asked, for most of their filters are NULL.
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL plan_cache_mode = auto;
SELECT set_config('search_path', schema, false) FROM public.generation WHERE state = 'live'

-- == the checkpoint ==

-- name: create_checkpoint
-- Why: how far a generation is and who may move it on stand in one row, which moves with the rows of the tables.
CREATE TABLE checkpoint (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    position bigint NOT NULL,
    fence bigint NOT NULL,
    rolling bytea NOT NULL,
    settled timestamptz NOT NULL
);
INSERT INTO checkpoint (position, fence, rolling, settled) VALUES (0, 0, sha256(''::bytea), 'epoch');

-- name: position
-- Why: every answer names the position it is true for.
SELECT position FROM checkpoint

-- name: positioned_rows
-- Why: the position comes with the rows, or alone where there are none, and not by a round trip of its own; a connection
-- that is still in a generation that answers no more is told none.
SELECT answered.*, here.{position} FROM (SELECT CASE WHEN current_schema() = (
    SELECT schema FROM public.generation WHERE state = 'live') THEN position END AS {position} FROM checkpoint) AS here
LEFT JOIN (SELECT true AS {found}, asked.* FROM ({rows}) AS asked) AS answered ON true

-- name: take_over
-- Why: a new fence makes every older projector's next write fail.
UPDATE checkpoint SET fence = fence + 1 RETURNING position, fence, rolling, settled

-- name: move_checkpoint
-- Why: compare and set; no row comes back when another projector took over, moved on, or the generation was retired.
UPDATE checkpoint SET position = $1, rolling = $2, settled = $3
WHERE position = $4 AND fence = $5
    AND EXISTS (SELECT FROM public.generation WHERE schema = current_schema() AND state <> 'kept')
RETURNING position

-- name: checkpoint_held
-- Why: who fills a generation in parts names the table itself: another generation may have its name one day.
SELECT tableoid::bigint AS checkpoint, fence, current_schema() AS schema FROM checkpoint

-- name: hold_checkpoint
-- Why: a part of a fill is written only where it belongs, and nobody drops the tables meanwhile.
SELECT fence FROM checkpoint WHERE tableoid::bigint = $1 AND fence = $2 FOR KEY SHARE

-- name: commit_lazily
-- Why: what a fill commits may be lost until its end is committed for good, and with the end all before it.
SET synchronous_commit = off

-- name: hold_live
-- Why: while a switch compares positions, the live generation must not move on.
SELECT position FROM checkpoint FOR UPDATE

-- name: settled
-- Why: whether an instant can still gain events: all that comes later settles at or after this one.
SELECT settled FROM checkpoint

-- name: digest_checkpoint
-- Why: the position, the running maximum of store times and the chain over all bodies; the fence is no fact.
SELECT position, rolling, settled FROM checkpoint

-- == the rows, of all tables alike: names, types and keys are those of their row structs ==

-- name: states_before
-- Why: a batch goes on from where the last one left all of its folds, at the price of one round trip.
SELECT '{table}' AS fold, kept.* FROM ({rows}) AS kept

-- name: add_rows
-- Why: the rows of a small batch, column by column; a large one goes by COPY.
INSERT INTO {table} ({columns}) SELECT given.* FROM unnest({arrays}) AS given {where}

-- name: replace_rows
-- Why: a row changes as a whole, so that a batch and its events one by one end the same.
INSERT INTO {table} ({columns}) SELECT given.* FROM unnest({arrays}) AS given {where}
ON CONFLICT ({key}) DO UPDATE SET ({changed}) = ROW ({values})

-- name: move_and_write
-- Why: a small batch costs one round trip; where the checkpoint does not move, no row is written.
WITH moved AS ({moved}), {written} SELECT position FROM moved

-- name: count_rows
-- Why: whoever is shown a page must know how many there are on all of them.
SELECT count({what}) AS count FROM ({rows}) AS counted

-- name: digest_rows
-- Why: a value that was changed, a row that was added or removed by hand is noticed; words and bytes count by their SHA-256.
SELECT {digested} FROM {table} ORDER BY {ordered}
