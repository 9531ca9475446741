-- name: create_callback
-- Why: who is owed a call is listed over all conversations.
CREATE TABLE callback (
    tenant text NOT NULL,
    conversation text NOT NULL,
    callback_id text NOT NULL,
    contact_id text NOT NULL,
    queue text NOT NULL,
    due timestamptz NOT NULL,
    reason text NOT NULL,
    attempts integer NOT NULL,
    status text NOT NULL,
    outcome text,
    promised timestamptz,
    settled timestamptz,
    closed_for text,
    goes_on_as text,
    PRIMARY KEY (tenant, conversation, callback_id)
);

-- name: callbacks
-- Why: who is owed a call, the most urgent first.
SELECT b.callback_id, b.conversation, c.customer, b.contact_id, b.queue, b.due, b.reason, b.attempts, b.status,
    b.outcome, b.due AS page_at, b.callback_id AS page_id
FROM callback b LEFT JOIN conversation c ON c.tenant = b.tenant AND c.id = b.conversation
WHERE b.tenant = $1 AND ($2::text IS NULL OR b.queue = $2) AND ($3::text IS NULL OR b.status = $3)
    AND ($4::timestamptz IS NULL OR (b.due, b.callback_id) > ($4, $5::text))
ORDER BY b.due, b.callback_id LIMIT $6
