-- name: create_wait
-- Why: how long somebody waits is told from how long others waited just now.
CREATE TABLE wait (
    tenant text NOT NULL,
    conversation text NOT NULL,
    contact_id text NOT NULL,
    queue text NOT NULL,
    medium text NOT NULL,
    since timestamptz NOT NULL,
    ended timestamptz,
    taken boolean NOT NULL,
    PRIMARY KEY (tenant, conversation, contact_id)
);
CREATE INDEX wait_open ON wait (tenant) WHERE ended IS NULL;
CREATE INDEX wait_ended ON wait (tenant, ended) WHERE taken;

-- name: waiting
-- Why: who waits now, and how long whoever was taken within the last hour had waited; the time alone where nobody did.
SELECT m.at, w.queue, w.medium, w.waiting, w.taken, w.median, w.p90
FROM (SELECT coalesce($3::timestamptz, now()) AS at) m LEFT JOIN LATERAL (
    SELECT queue, medium, count(*) FILTER (WHERE ended IS NULL) AS waiting, count(*) FILTER (WHERE taken) AS taken,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM ended - since)) FILTER (WHERE taken) AS median,
        percentile_cont(0.9) WITHIN GROUP (ORDER BY extract(epoch FROM ended - since)) FILTER (WHERE taken) AS p90
    FROM (
        SELECT * FROM wait WHERE tenant = $1 AND ended IS NULL
        UNION ALL
        SELECT * FROM wait WHERE tenant = $1 AND taken AND ended > m.at - interval '1 hour' AND ended <= m.at
    ) lately
    WHERE $2::text IS NULL OR queue = $2
    GROUP BY queue, medium
) w ON true
