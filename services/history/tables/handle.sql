-- name: create_handle
-- Why: a person is found by a number or an address of any length.
CREATE TABLE handle (
    tenant text NOT NULL,
    customer text NOT NULL,
    kind text NOT NULL,
    value_sha256 bytea NOT NULL,
    sequence bigint NOT NULL,
    verified boolean NOT NULL,
    proof text NOT NULL,
    PRIMARY KEY (tenant, customer, kind, value_sha256)
);
CREATE INDEX handle_value ON handle (tenant, kind, value_sha256, sequence);

-- name: customers_of_handle
-- Why: who holds this number or address, before those who only claim it; the one who gave it last first.
SELECT customer, proof FROM handle WHERE tenant = $1 AND kind = $2 AND value_sha256 = $3
ORDER BY proof = 'claimed', sequence DESC LIMIT 16
