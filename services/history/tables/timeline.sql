-- name: create_timeline
-- Why: a story is read in ledger order by one index, without decoding events.
CREATE TABLE timeline (
    sequence bigint NOT NULL,
    tenant text NOT NULL,
    conversation text,
    customer text,
    occurred timestamptz NOT NULL,
    recorded timestamptz NOT NULL,
    type text NOT NULL,
    contact_id text,
    channel text,
    actor text NOT NULL,
    text text,
    open text NOT NULL,
    quoted text
);

-- name: index_timeline
-- Why: answers find their rows; a fill adds this to a table that is full.
ALTER TABLE timeline ADD PRIMARY KEY (sequence);
CREATE INDEX timeline_conversation ON timeline (tenant, conversation, sequence);
CREATE INDEX timeline_customer ON timeline (tenant, customer, sequence);

-- name: timeline_of_conversation
-- Why: the story of one matter, in ledger order, a page at a time.
SELECT sequence, occurred AS at, recorded, type, conversation, customer, contact_id, channel, actor, text, open, quoted
FROM timeline WHERE tenant = $1 AND conversation = $2 AND sequence > $3 ORDER BY sequence LIMIT $4

-- name: timeline_of_customer
-- Why: the story of a person over all her matters, in ledger order, a page at a time.
SELECT sequence, occurred AS at, recorded, type, conversation, customer, contact_id, channel, actor, text, open, quoted
FROM timeline
WHERE tenant = $1 AND sequence > $3 AND (customer = $2 OR conversation IN (
    SELECT id FROM conversation WHERE tenant = $1 AND customer = $2))
ORDER BY sequence LIMIT $4
