-- name: create_feedback
-- Why: a supervisor looks at what customers say, and of whom.
CREATE TABLE feedback (
    tenant text NOT NULL,
    message_id text NOT NULL,
    conversation text NOT NULL,
    contact_id text NOT NULL,
    agent text,
    queue text NOT NULL,
    channel text NOT NULL,
    asked timestamptz NOT NULL,
    given timestamptz,
    score integer,
    low boolean,
    words text,
    PRIMARY KEY (tenant, message_id)
);
CREATE INDEX feedback_asked ON feedback (tenant, asked, message_id);

-- name: feedback
-- Why: whom we asked and what they say, the latest first.
SELECT message_id, conversation, contact_id, agent, queue, channel, asked, given, score, words,
    CASE WHEN given IS NULL THEN 'asked' WHEN low THEN 'low' ELSE 'given' END AS status,
    asked AS page_at, message_id AS page_id
FROM feedback
WHERE tenant = $1 AND ($2::text IS NULL OR agent = $2) AND ($3::text IS NULL OR queue = $3)
    AND ($4::text IS NULL OR $4 = CASE WHEN given IS NULL THEN 'asked' WHEN low THEN 'low' ELSE 'given' END)
    AND ($5::timestamptz IS NULL OR (asked, message_id) < ($5, $6::text))
ORDER BY asked DESC, message_id DESC LIMIT $7
