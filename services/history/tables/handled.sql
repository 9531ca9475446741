-- name: create_handled
-- Why: measures of any range are computed from how each conversation was handled, not from all of its events.
CREATE TABLE handled (
    tenant text NOT NULL,
    id text NOT NULL,
    since timestamptz,
    until timestamptz,
    state bytea NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX handled_when ON handled (tenant, until, since);

-- name: handled_before
-- Why: the fold goes on from where the last batch left it.
SELECT h.tenant, h.id, h.state FROM handled h
JOIN unnest({tenants}::text[], {ids}::text[]) AS wanted (tenant, id) USING (tenant, id)

-- name: handled_in
-- Why: what has part in a range, and with it whole matters: what it goes on in, and what went on in it.
WITH RECURSIVE ranged AS (
    SELECT id FROM handled WHERE tenant = $1 AND until >= $2 AND since < $3 LIMIT $4
), whole AS (
    SELECT id FROM ranged
    UNION
    SELECT kin.id FROM whole w CROSS JOIN LATERAL (
        SELECT c.goes_on_in AS id FROM conversation c
        WHERE c.tenant = $1 AND c.id = w.id AND c.goes_on_in IS NOT NULL
        UNION ALL
        SELECT c.id FROM conversation c WHERE c.tenant = $1 AND c.goes_on_in = w.id
    ) kin
)
SELECT id, count(*) FILTER (WHERE id IN (SELECT id FROM ranged)) OVER () AS in_range FROM whole

-- name: handled
-- Why: how these conversations were handled, and what else the same persons came with later. How many are asked for is
-- known when this is planned, which it is not of those that a recursion finds.
WITH persons AS (
    SELECT DISTINCT c.customer FROM unnest($2::text[]) AS whole (id)
    JOIN conversation c ON c.tenant = $1 AND c.id = whole.id WHERE c.customer IS NOT NULL
), wanted AS (
    SELECT unnest($2::text[]) AS id
    UNION
    SELECT c.id FROM persons p JOIN conversation c ON c.tenant = $1 AND c.customer = p.customer
    WHERE c.opened >= $3
)
SELECT h.id, h.state FROM wanted JOIN handled h ON h.tenant = $1 AND h.id = wanted.id
