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
    queue text,
    first_due timestamptz,
    moved integer NOT NULL,
    missed boolean NOT NULL,
    ending text,
    PRIMARY KEY (tenant, conversation, promise_id)
);
CREATE INDEX promise_due ON promise (tenant, due);

-- name: promises
-- Why: what was promised, the most urgent first. What is still to be kept stands where its conversation goes on.
SELECT p.promise_id, p.conversation, c.customer, p.agent, p.text, p.made, p.due, p.kept,
    coalesce(p.ending, CASE WHEN p.kept IS NULL THEN 'open' ELSE 'kept' END) AS status,
    p.queue, p.first_due, p.moved, p.missed,
    p.due AS page_at, p.promise_id AS page_id
FROM promise p LEFT JOIN conversation c ON c.tenant = p.tenant AND c.id = p.conversation
WHERE p.tenant = $1 AND NOT (p.kept IS NULL AND p.ending IS NULL AND c.goes_on_in IS NOT NULL)
    AND ($2::text IS NULL OR p.agent = $2) AND ($3::text IS NULL OR p.queue = $3)
    AND ($4::text IS NULL OR $4 = coalesce(p.ending, CASE WHEN p.kept IS NULL THEN 'open' ELSE 'kept' END))
    AND ($5::timestamptz IS NULL OR (p.due, p.promise_id) > ($5, $6::text))
ORDER BY p.due, p.promise_id LIMIT $7

-- name: promise_rates
-- Why: what was due in a range and how it ended, in all, by agent and by queue; one that goes on elsewhere counts there.
SELECT CASE WHEN GROUPING(p.agent) = 0 THEN 'agent' WHEN GROUPING(p.queue) = 0 THEN 'queue' ELSE 'all' END AS whose,
    CASE WHEN GROUPING(p.agent) = 0 THEN p.agent ELSE p.queue END AS name,
    count(*) FILTER (WHERE p.kept IS NOT NULL AND NOT p.missed) AS in_time,
    count(*) FILTER (WHERE p.kept IS NOT NULL AND p.missed) AS late,
    count(*) FILTER (WHERE p.kept IS NULL) AS broken
FROM promise p LEFT JOIN conversation c ON c.tenant = p.tenant AND c.id = p.conversation
WHERE p.tenant = $1 AND p.ending IS DISTINCT FROM 'withdrawn'
    AND NOT (p.kept IS NULL AND p.ending IS NULL AND c.goes_on_in IS NOT NULL)
    AND ($2::timestamptz IS NULL OR p.due >= $2) AND p.due < least($3::timestamptz, now())
GROUP BY GROUPING SETS ((p.agent), (p.queue), ())
ORDER BY whose, name
