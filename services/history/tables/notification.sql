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
SELECT n.tenant, n.id, convert_to(row_to_json(n)::text, 'UTF8') AS state FROM notification n
JOIN unnest({tenants}::text[], {ids}::text[]) AS wanted (tenant, id) USING (tenant, id)
