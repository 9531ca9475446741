-- name: create_conversation
-- Why: lists are filtered and ordered by these columns; `state` is what the next batch goes on from.
CREATE TABLE conversation (
    tenant text NOT NULL,
    id text NOT NULL,
    sequence bigint NOT NULL,
    customer text,
    status text NOT NULL,
    owner text,
    queue text,
    opened timestamptz,
    last_activity timestamptz,
    waiting_since timestamptz,
    contact_id text,
    channel text,
    repeats integer NOT NULL,
    offer_id text,
    offer_agent text,
    offer_contact_id text,
    offer_packet_id text,
    offer_expires timestamptz,
    transfer_id text,
    transfer_kind text,
    transfer_sender text,
    transfer_to text,
    transfer_packet_id text,
    transfer_expires timestamptz,
    packet_id text,
    goes_on_in text,
    came_in text,
    labels text,
    snoozed_until timestamptz,
    resolved timestamptz,
    resolved_by text,
    state bytea NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX conversation_customer ON conversation (tenant, customer);
CREATE INDEX conversation_open ON conversation (tenant, status) WHERE status <> 'resolved';
CREATE INDEX conversation_gone_on ON conversation (tenant, goes_on_in) WHERE goes_on_in IS NOT NULL;
CREATE INDEX conversation_done ON conversation (tenant, resolved_by, resolved, id) WHERE resolved IS NOT NULL;

-- name: conversation_before
-- Why: the fold goes on from where the last batch left it.
SELECT c.tenant, c.id, c.state FROM conversation c
JOIN unnest({tenants}::text[], {ids}::text[]) AS wanted (tenant, id) USING (tenant, id)

-- name: conversation
-- Why: one matter as it stands; its fold holds contacts, hops and facts verbatim.
SELECT status, state FROM conversation WHERE tenant = $1 AND id = $2

-- name: conversations_of_customer
-- Why: the matters of one person, the latest first.
SELECT id, status, owner, queue, channel, opened, last_activity, coalesce(opened, 'epoch') AS page_at, id AS page_id
FROM conversation
WHERE tenant = $1 AND customer = $2
    AND ($3::timestamptz IS NULL OR (coalesce(opened, 'epoch'), id) < ($3, $4::text))
ORDER BY coalesce(opened, 'epoch') DESC, id DESC LIMIT $5

-- name: inbox_offered
-- Why: what an agent is asked to take.
SELECT id AS conversation, customer, status, owner, queue, contact_id, channel, waiting_since, offer_id,
    offer_agent AS agent, transfer_id,
    offer_packet_id AS packet_id, offer_expires AS expires, offer_expires AS page_at, id AS page_id
FROM conversation
WHERE tenant = $1 AND status <> 'resolved' AND offer_id IS NOT NULL
    AND ($2::text IS NULL OR offer_agent = $2) AND ($3::text IS NULL OR queue = $3) AND sequence > $4
    AND ($5::timestamptz IS NULL OR (offer_expires, id) > ($5, $6::text))
ORDER BY offer_expires, id LIMIT $7

-- name: inbox_waiting
-- Why: what nobody was asked to take yet, the longest wait first.
SELECT id AS conversation, customer, status, owner, queue, contact_id, channel, waiting_since, offer_id,
    offer_agent AS agent, transfer_id,
    coalesce(transfer_packet_id, packet_id) AS packet_id, transfer_expires AS expires,
    coalesce(waiting_since, opened, 'epoch') AS page_at, id AS page_id
FROM conversation
WHERE tenant = $1 AND status = 'waiting' AND offer_id IS NULL AND ($2::text[] IS NULL OR queue = ANY ($2))
    AND sequence > $3
    AND ($4::timestamptz IS NULL OR (coalesce(waiting_since, opened, 'epoch'), id) > ($4, $5::text))
ORDER BY coalesce(waiting_since, opened, 'epoch'), id LIMIT $6

-- name: inbox_owned
-- Why: what an agent works on; what she has put aside is not before her.
SELECT id AS conversation, customer, status, owner, queue, contact_id, channel, waiting_since, offer_id,
    offer_agent AS agent, transfer_id,
    packet_id, transfer_expires AS expires, coalesce(last_activity, opened, 'epoch') AS page_at, id AS page_id
FROM conversation
WHERE tenant = $1 AND status = 'owned' AND snoozed_until IS NULL AND ($2::text IS NULL OR owner = $2)
    AND sequence > $3
    AND ($4::timestamptz IS NULL OR (coalesce(last_activity, opened, 'epoch'), id) > ($4, $5::text))
ORDER BY coalesce(last_activity, opened, 'epoch'), id LIMIT $6
