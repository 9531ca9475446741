-- name: create_event
-- Why: every event is kept as it lies in the ledger, so that answers can show the bytes that were stored.
CREATE TABLE event (
    sequence bigint PRIMARY KEY,
    id text NOT NULL UNIQUE,
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
-- Why: late deliveries and the balance ask which event ids became facts, and from which delivery.
SELECT id, sequence, raw FROM event WHERE tenant = $1 AND id = ANY ($2::text[])
