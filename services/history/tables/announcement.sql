-- name: create_announcement
-- Why: what the desk is to know is listed, over all matters.
CREATE TABLE announcement (
    sequence bigint NOT NULL,
    tenant text NOT NULL,
    announcement_id text NOT NULL,
    withdrawn boolean NOT NULL,
    kind text,
    said text,
    codes text,
    about text,
    since timestamptz,
    until timestamptz,
    said_by text NOT NULL
);

-- name: index_announcement
-- Why: answers find their rows; a fill adds this to a table that is full.
ALTER TABLE announcement ADD PRIMARY KEY (sequence);
CREATE INDEX announcement_id ON announcement (tenant, announcement_id);

-- name: announcements
-- Why: what holds or is going to, the newest first: pages go up, so times are mirrored; what was withdrawn has a second row.
SELECT a.announcement_id, a.kind, a.said AS text, string_to_array(a.codes, ' ') AS codes,
    string_to_array(a.about, E'\n') AS about, a.since, a.until, a.said_by AS by,
    '2100-01-01Z'::timestamptz - (a.since - 'epoch'::timestamptz) AS page_at, a.announcement_id AS page_id
FROM announcement a
WHERE a.tenant = $1 AND NOT a.withdrawn AND ($2::text IS NULL OR a.kind = $2)
    AND (a.until IS NULL OR a.until > coalesce($3::timestamptz, now()))
    AND NOT EXISTS (SELECT FROM announcement w
        WHERE w.tenant = a.tenant AND w.announcement_id = a.announcement_id AND w.withdrawn)
    AND ($4::timestamptz IS NULL
        OR ('2100-01-01Z'::timestamptz - (a.since - 'epoch'::timestamptz), a.announcement_id) > ($4, $5::text))
ORDER BY '2100-01-01Z'::timestamptz - (a.since - 'epoch'::timestamptz), a.announcement_id LIMIT $6
