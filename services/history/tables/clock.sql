-- name: create_clock
-- Why: how soon customers are answered is counted over all conversations, and shown for each of them.
CREATE TABLE clock (
    tenant text NOT NULL,
    conversation text NOT NULL,
    clock_id text NOT NULL,
    target text NOT NULL,
    medium text NOT NULL,
    queue text NOT NULL,
    since timestamptz NOT NULL,
    milliseconds bigint NOT NULL,
    due timestamptz NOT NULL,
    state text NOT NULL,
    ended timestamptz,
    pauses text NOT NULL,
    calendar text,
    rule text NOT NULL,
    policy_version text NOT NULL,
    PRIMARY KEY (tenant, conversation, clock_id)
);
CREATE INDEX clock_since ON clock (tenant, since);

-- name: service_level
-- Why: how many waits that began in a span of time ended in time, too late, or without an answer, by what was waited for.
SELECT target, count(*) FILTER (WHERE state = 'met') AS met, count(*) FILTER (WHERE state = 'breached') AS breached,
    count(*) FILTER (WHERE state = 'open') AS open, count(*) FILTER (WHERE state = 'unanswered') AS unanswered
FROM clock
WHERE tenant = $1 AND since >= $2 AND since < $3 AND ($4::text IS NULL OR queue = $4)
    AND ($5::text IS NULL OR medium = $5)
GROUP BY target ORDER BY target

-- name: clocks
-- Why: the waits of one conversation, the first one first.
SELECT clock_id, target, medium, queue, since, milliseconds, due, state, ended, pauses, calendar, rule, policy_version,
    since AS page_at, clock_id AS page_id
FROM clock
WHERE tenant = $1 AND conversation = $2 AND ($3::timestamptz IS NULL OR (since, clock_id) > ($3, $4::text))
ORDER BY since, clock_id LIMIT $5
