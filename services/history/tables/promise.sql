-- name: create_promise
-- Why: what is due is listed over all conversations.
CREATE TABLE promise (
    tenant text NOT NULL,
    conversation text NOT NULL,
    promise_id text NOT NULL,
    agent text NOT NULL,
    text text NOT NULL,
    made timestamptz NOT NULL,
    due timestamptz NOT NULL,
    kept timestamptz,
    PRIMARY KEY (tenant, conversation, promise_id)
);

-- name: promises
-- Why: what was promised, the most urgent first. What is still to be kept stands where its conversation goes on.
SELECT p.promise_id, p.conversation, c.customer, p.agent, p.text, p.made, p.due, p.kept,
    CASE WHEN p.kept IS NULL THEN 'open' ELSE 'kept' END AS status,
    p.due AS page_at, p.promise_id AS page_id
FROM promise p LEFT JOIN conversation c ON c.tenant = p.tenant AND c.id = p.conversation
WHERE p.tenant = $1 AND NOT (p.kept IS NULL AND c.goes_on_in IS NOT NULL) AND ($2::text IS NULL OR p.agent = $2)
    AND ($3::text IS NULL OR $3 = CASE WHEN p.kept IS NULL THEN 'open' ELSE 'kept' END)
    AND ($4::timestamptz IS NULL OR (p.due, p.promise_id) > ($4, $5::text))
ORDER BY p.due, p.promise_id LIMIT $6
