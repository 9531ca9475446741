-- name: work_mine
-- Why: what an agent has in hand, the longest without news first.
SELECT id AS conversation, customer, status, owner, queue, came_in, channel,
    coalesce(string_to_array(labels, ' '), '{}') AS labels, opened, last_activity, waiting_since, snoozed_until,
    resolved, coalesce(last_activity, opened, 'epoch') AS page_at, id AS page_id
FROM conversation
WHERE tenant = $1 AND status = 'owned' AND snoozed_until IS NULL AND owner = $2
    AND ($3::text IS NULL OR came_in = $3) AND ($4::text IS NULL OR $4 = ANY (string_to_array(labels, ' ')))
    AND ($5::timestamptz IS NULL OR (coalesce(last_activity, opened, 'epoch'), id) > ($5, $6::text))
ORDER BY coalesce(last_activity, opened, 'epoch'), id LIMIT $7

-- name: work_waiting
-- Why: what nobody has, in the queues that an agent takes from, the longest wait first.
SELECT id AS conversation, customer, status, owner, queue, came_in, channel,
    coalesce(string_to_array(labels, ' '), '{}') AS labels, opened, last_activity, waiting_since, snoozed_until,
    resolved, coalesce(waiting_since, opened, 'epoch') AS page_at, id AS page_id
FROM conversation
WHERE tenant = $1 AND status = 'waiting' AND queue = ANY ($2::text[])
    AND ($3::text IS NULL OR queue = $3) AND ($4::text IS NULL OR $4 = ANY (string_to_array(labels, ' ')))
    AND ($5::timestamptz IS NULL OR (coalesce(waiting_since, opened, 'epoch'), id) > ($5, $6::text))
ORDER BY coalesce(waiting_since, opened, 'epoch'), id LIMIT $7

-- name: work_snoozed
-- Why: what an agent has put aside, the next to come back first.
SELECT id AS conversation, customer, status, owner, queue, came_in, channel,
    coalesce(string_to_array(labels, ' '), '{}') AS labels, opened, last_activity, waiting_since, snoozed_until,
    resolved, snoozed_until AS page_at, id AS page_id
FROM conversation
WHERE tenant = $1 AND status = 'owned' AND snoozed_until IS NOT NULL AND owner = $2
    AND ($3::text IS NULL OR came_in = $3) AND ($4::text IS NULL OR $4 = ANY (string_to_array(labels, ' ')))
    AND ($5::timestamptz IS NULL OR (snoozed_until, id) > ($5, $6::text))
ORDER BY snoozed_until, id LIMIT $7

-- name: work_done
-- Why: what an agent has resolved, the latest first.
SELECT id AS conversation, customer, status, owner, queue, came_in, channel,
    coalesce(string_to_array(labels, ' '), '{}') AS labels, opened, last_activity, waiting_since, snoozed_until,
    resolved, resolved AS page_at, id AS page_id
FROM conversation
WHERE tenant = $1 AND resolved IS NOT NULL AND resolved_by = $2
    AND ($3::text IS NULL OR came_in = $3) AND ($4::text IS NULL OR $4 = ANY (string_to_array(labels, ' ')))
    AND ($5::timestamptz IS NULL OR (resolved, id) < ($5, $6::text))
ORDER BY resolved DESC, id DESC LIMIT $7
