-- name: create_attendance
-- Why: when an agent became available, and occupied, is known when that ends.
CREATE TABLE attendance (
    tenant text NOT NULL,
    id text NOT NULL,
    state bytea NOT NULL,
    PRIMARY KEY (tenant, id)
);

-- name: attendance_before
-- Why: the fold goes on from where the last batch left it.
SELECT a.tenant, a.id, a.state FROM attendance a
JOIN unnest({tenants}::text[], {ids}::text[]) AS wanted (tenant, id) USING (tenant, id)

-- name: attendance
-- Why: a stretch of time that goes on counts as far as it is known.
SELECT id, state FROM attendance WHERE tenant = $1 AND ($2::text IS NULL OR id = $2)

-- name: create_stretch
-- Why: the share of their time in which agents were occupied is told for any range.
CREATE TABLE stretch (
    sequence bigint NOT NULL,
    tenant text NOT NULL,
    agent text NOT NULL,
    since timestamptz NOT NULL,
    until timestamptz NOT NULL,
    occupied boolean NOT NULL
);

-- name: index_stretch
-- Why: answers find their rows; a fill adds this to a table that is full.
ALTER TABLE stretch ADD PRIMARY KEY (sequence);
CREATE INDEX stretch_when ON stretch (tenant, until, since);

-- name: stretches
-- Why: when agents were available in a range, and whether they had a conversation.
SELECT agent, since, until, occupied FROM stretch
WHERE tenant = $1 AND until > $2 AND since < $3 AND ($4::text IS NULL OR agent = $4) LIMIT $5
