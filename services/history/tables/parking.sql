-- name: create_parking
-- Why: an operator must see what failed, and in which order.
CREATE TABLE parking (
    sequence bigint NOT NULL,
    tenant text NOT NULL,
    parked_id text NOT NULL,
    state text NOT NULL,
    type text,
    event_id text,
    stream text,
    position bigint,
    raw text,
    error text,
    failures bigint,
    recorded timestamptz NOT NULL
);

-- name: index_parking
-- Why: answers find their rows; a fill adds this to a table that is full.
ALTER TABLE parking ADD PRIMARY KEY (sequence);
CREATE INDEX parking_id ON parking (tenant, parked_id, sequence);
CREATE INDEX parking_event ON parking (tenant, event_id);

-- name: parked
-- Why: what was parked and has no later event; the order of the ledger is the order in which it is retried.
SELECT p.parked_id, p.sequence, p.type, p.stream, p.position, p.raw, p.error, p.failures, p.recorded AS parked,
    p.recorded AS page_at, lpad(p.sequence::text, 20, '0') AS page_id
FROM parking p
WHERE p.tenant = $1 AND p.state = 'parked' AND NOT EXISTS (SELECT FROM parking l
    WHERE l.tenant = p.tenant AND l.parked_id = p.parked_id AND l.sequence > p.sequence)
    AND ($2::timestamptz IS NULL OR (p.recorded, lpad(p.sequence::text, 20, '0')) > ($2, $3::text))
ORDER BY p.recorded, lpad(p.sequence::text, 20, '0') LIMIT $4

-- name: parked_total
-- Why: what waits for an operator is told of the whole stack.
SELECT count(*) AS parked
FROM parking p
WHERE p.state = 'parked' AND NOT EXISTS (SELECT FROM parking l
    WHERE l.tenant = p.tenant AND l.parked_id = p.parked_id AND l.sequence > p.sequence)

-- name: parked_count
-- Why: a list may be cut off; its number may not.
SELECT count(*) AS parked
FROM parking p
WHERE p.tenant = $1 AND p.state = 'parked' AND NOT EXISTS (SELECT FROM parking l
    WHERE l.tenant = p.tenant AND l.parked_id = p.parked_id AND l.sequence > p.sequence)
