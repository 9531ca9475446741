-- name: create_lost
-- Why: of every contact that nobody took it is said what became of it.
CREATE TABLE lost (
    sequence bigint NOT NULL,
    tenant text NOT NULL,
    conversation text NOT NULL,
    contact_id text NOT NULL,
    lost timestamptz NOT NULL,
    reason text NOT NULL,
    queue text NOT NULL,
    callback_id text NOT NULL,
    unreachable boolean NOT NULL
);

-- name: index_lost
-- Why: answers find their rows; a fill adds this to a table that is full.
ALTER TABLE lost ADD PRIMARY KEY (sequence);
CREATE INDEX lost_when ON lost (tenant, lost);

-- name: lost
-- Why: the fate of each contact that was lost in a time: of the call that is owed for it, where its matter goes on.
WITH RECURSIVE way AS (
    SELECT l.sequence, l.conversation, l.callback_id, 0 AS hops FROM lost l
    WHERE l.tenant = $1 AND l.lost >= $2 AND l.lost < $3 AND ($4::text IS NULL OR l.queue = $4)
    UNION ALL
    SELECT w.sequence, c.goes_on_in, b.goes_on_as, w.hops + 1
    FROM way w JOIN callback b ON b.tenant = $1 AND b.conversation = w.conversation AND b.callback_id = w.callback_id
    JOIN conversation c ON c.tenant = $1 AND c.id = w.conversation
    WHERE b.goes_on_as IS NOT NULL AND c.goes_on_in IS NOT NULL AND w.hops < 100
), ended AS (
    SELECT DISTINCT ON (sequence) sequence, conversation, callback_id FROM way ORDER BY sequence, hops DESC
)
SELECT l.conversation, l.contact_id, l.lost, l.reason, coalesce(b.queue, l.queue) AS queue, b.callback_id, b.due,
    coalesce(b.attempts, 0) AS attempts, CASE WHEN b.callback_id IS NOT NULL THEN c.owner END AS owner, b.settled,
    coalesce(b.settled <= b.promised, false) AS in_time, b.closed_for AS why,
    CASE
        WHEN b.status = 'reached' THEN 'reached'
        WHEN b.status = 'closed' AND b.closed_for = 'answered' THEN 'answered'
        WHEN b.status = 'closed' AND b.closed_for IS NOT NULL THEN 'closed'
        WHEN b.status = 'open' AND c.status <> 'resolved' THEN 'open'
        WHEN b.status IS NULL AND l.unreachable THEN 'unreachable'
        ELSE 'unaccounted'
    END AS fate, l.lost AS page_at, l.contact_id AS page_id
FROM ended e JOIN lost l ON l.sequence = e.sequence
LEFT JOIN callback b ON b.tenant = $1 AND b.conversation = e.conversation AND b.callback_id = e.callback_id
LEFT JOIN conversation c ON c.tenant = $1 AND c.id = e.conversation
ORDER BY l.lost, l.contact_id
