-- name: create_request
-- Why: what asked for somebody's attention is compared with what was acknowledged.
CREATE TABLE request (
    sequence bigint NOT NULL,
    tenant text NOT NULL,
    id text NOT NULL,
    conversation text NOT NULL,
    contact_id text,
    kind text NOT NULL,
    queue text,
    callback_id text,
    asked timestamptz NOT NULL
);

-- name: index_request
-- Why: answers find their rows; a fill adds this to a table that is full.
ALTER TABLE request ADD PRIMARY KEY (sequence);
CREATE INDEX request_id ON request (tenant, id);

-- name: overlooked
-- Why: requests that no person acknowledged and nobody who is there was told about further, and lost calls that nobody
-- owes a call. What waits, or is to be kept, in a matter that goes on in another one waits there.
SELECT r.id, r.sequence, r.conversation, r.contact_id, r.kind, r.queue, r.asked, n.id AS notification_id,
    coalesce(n.state, 'none') AS state, n.escalates,
    r.asked AS page_at, r.id AS page_id
FROM request r LEFT JOIN notification n ON n.tenant = r.tenant AND n.about = r.id
    AND n.reason NOT IN ('owner_changed', 'customer_message')
LEFT JOIN conversation c ON c.tenant = r.tenant AND c.id = r.conversation
WHERE r.tenant = $1 AND NOT (c.goes_on_in IS NOT NULL
    AND r.kind IN ('waiting', 'owned', 'callback', 'overdue', 'due_soon', 'rule')) AND (
    (r.kind <> 'lost' AND coalesce(n.state, 'none') <> 'acknowledged'
        AND NOT (coalesce(n.state, 'none') = 'escalated' AND n.settled_by = ANY($2::text[])))
    OR (r.kind = 'lost' AND NOT EXISTS (SELECT FROM callback b
        WHERE b.tenant = r.tenant AND b.conversation = r.conversation AND b.callback_id = r.callback_id)))
    AND ($3::timestamptz IS NULL OR (r.asked, r.id) > ($3, $4::text))
ORDER BY r.asked, r.id LIMIT $5
