-- name: create_review
-- Why: a supervisor looks for what she has to score, and at what was found of an agent.
CREATE TABLE review (
    tenant text NOT NULL,
    review_id text NOT NULL,
    conversation text NOT NULL,
    contact_id text NOT NULL,
    agent text NOT NULL,
    queue text NOT NULL,
    sampled timestamptz NOT NULL,
    scored timestamptz,
    by text,
    card text,
    finding text,
    PRIMARY KEY (tenant, review_id)
);
CREATE INDEX review_agent ON review (tenant, agent, sampled, review_id);
CREATE INDEX review_open ON review (tenant, queue, sampled, review_id) WHERE scored IS NULL;

-- name: reviews
-- Why: what is looked at, the latest first.
SELECT review_id, conversation, contact_id, agent, queue, sampled, scored, by, card, finding,
    CASE WHEN scored IS NULL THEN 'open' ELSE 'scored' END AS status,
    sampled AS page_at, review_id AS page_id
FROM review
WHERE tenant = $1 AND ($2::text IS NULL OR agent = $2) AND ($3::text IS NULL OR queue = $3)
    AND ($4::text IS NULL OR $4 = CASE WHEN scored IS NULL THEN 'open' ELSE 'scored' END)
    AND ($5::timestamptz IS NULL OR (sampled, review_id) < ($5, $6::text))
ORDER BY sampled DESC, review_id DESC LIMIT $7
