-- name: create_notification
-- Why: an outcome finds the row that its intent made.
CREATE TABLE notification (
    tenant text NOT NULL,
    id text NOT NULL,
    sequence bigint NOT NULL,
    conversation text,
    about text NOT NULL,
    reason text NOT NULL,
    recipient text NOT NULL,
    transport text NOT NULL,
    state text NOT NULL,
    requested timestamptz NOT NULL,
    escalates timestamptz,
    settled_by text,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX notification_about ON notification (tenant, about);

-- name: notification_before
-- Why: an outcome changes the row that its intent made.
SELECT n.tenant, n.id, n.sequence, n.conversation, n.about, n.reason, n.recipient, n.transport, n.state, n.requested,
    n.escalates, n.settled_by
FROM notification n
JOIN unnest($1::text[], $2::text[]) AS wanted (tenant, id) USING (tenant, id)
