-- name: create_customer
-- Why: one person is found by her id; `state` is what the next batch goes on from.
CREATE TABLE customer (
    tenant text NOT NULL,
    id text NOT NULL,
    sequence bigint NOT NULL,
    provisional boolean NOT NULL,
    language text,
    state bytea NOT NULL,
    PRIMARY KEY (tenant, id)
);

-- name: customer_before
-- Why: the fold goes on from where the last batch left it.
SELECT c.tenant, c.id, c.state FROM customer c
JOIN unnest({tenants}::text[], {ids}::text[]) AS wanted (tenant, id) USING (tenant, id)

-- name: customer
-- Why: one person as she is known; her fold holds names and handles verbatim.
SELECT state FROM customer WHERE tenant = $1 AND id = $2
