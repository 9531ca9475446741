-- name: create_event
-- Why: every event is kept as it lies in the ledger, so that answers can show the bytes that were stored.
CREATE TABLE event (
    sequence bigint NOT NULL,
    id text NOT NULL,
    tenant text NOT NULL,
    aggregate text NOT NULL,
    type text NOT NULL,
    conversation text,
    customer text,
    occurred timestamptz NOT NULL,
    recorded timestamptz NOT NULL,
    stored timestamptz NOT NULL,
    settled timestamptz NOT NULL,
    raw text,
    body bytea NOT NULL
);

-- name: index_event
-- Why: an event comes once and is found by its id; a fill adds this to a table that is full, at a part of the price.
ALTER TABLE event ADD PRIMARY KEY (sequence), ADD UNIQUE (id);
CREATE INDEX event_settled ON event (settled, sequence);

-- name: ids_known
-- Why: an event id that the ledger holds twice counts once.
SELECT id FROM event WHERE id = ANY ($1::text[])

-- name: last_event
-- Why: whoever goes on compares it with the ledger, which may have been replaced by another one meanwhile.
SELECT sequence, id, body FROM event ORDER BY sequence DESC LIMIT 1

-- name: sequence_at
-- Why: the largest sequence whose running maximum of store times is not later than an instant.
SELECT sequence FROM event WHERE settled <= $1 ORDER BY settled DESC, sequence DESC LIMIT 1

-- name: known
-- Why: late deliveries and the balance ask which event ids became facts, and from which delivery. One whose event could
-- not be decided is accounted for as well; of an event that was retried its fact tells.
SELECT id, sequence, raw, NULL AS state FROM event WHERE tenant = $1 AND id = ANY ($2::text[])
UNION ALL
SELECT p.event_id, p.sequence, p.raw, l.state
FROM parking p CROSS JOIN LATERAL (SELECT state FROM parking
    WHERE tenant = p.tenant AND parked_id = p.parked_id ORDER BY sequence DESC LIMIT 1) AS l
WHERE p.tenant = $1 AND p.event_id = ANY ($2::text[]) AND l.state <> 'retried'
ORDER BY sequence

-- name: entries
-- Why: whoever follows the ledger from outside reads it here, as many events at a time as fit into an answer.
SELECT sequence, aggregate, type, body, ahead FROM (
    SELECT sequence, aggregate, type, body, count(*) OVER () AS ahead,
        sum(length(body)) OVER (ORDER BY sequence) - length(body) AS bytes_before
    FROM (SELECT sequence, aggregate, type, body FROM event
        WHERE tenant = $1 AND sequence > $2 ORDER BY sequence LIMIT $3) AS page) AS measured
WHERE bytes_before < $4
ORDER BY sequence
