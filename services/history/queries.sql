-- Every query of history by name, each with one sentence on why it is there.
-- The tables stand in the schema of a generation, which is first in the search path.

-- == generations == (1414288453 is the class of all our advisory locks)

-- name: migration_lock
-- Why: two processes that start at once must not make the same tables.
SELECT pg_advisory_xact_lock(1414288453, 0)

-- name: rebuild_lock
-- Why: one rebuild at a time, or they would drop each other's tables.
SELECT pg_try_advisory_lock(1414288453, -1) AS taken

-- name: generation_lock
-- Why: one projector per generation; the others stand by until this answers true.
SELECT pg_try_advisory_lock(1414288453, $1::integer) AS taken

-- name: generation_live
-- Why: readers and the projector must know which schema answers.
SELECT number, schema, version FROM public.generation WHERE state = 'live'

-- name: generation_next
-- Why: a new generation never reuses the number of an older one.
SELECT coalesce(max(number), 0) + 1 AS number FROM public.generation

-- name: generation_add
-- Why: a schema is a generation only once it is listed.
INSERT INTO public.generation (number, schema, version, state) VALUES ($1, $2, $3, $4)

-- name: generations_building
-- Why: what an interrupted or failed rebuild left is dropped by the next one.
SELECT number, schema, version FROM public.generation WHERE state = 'building' ORDER BY number

-- name: generation_remove
-- Why: a dropped schema must not stay listed.
DELETE FROM public.generation WHERE number = $1 AND state <> 'live'

-- name: generation_retire
-- Why: the old generation stays for a way back, but nothing is written to it any more.
UPDATE public.generation SET state = 'kept' WHERE state = 'live'

-- name: generation_promote
-- Why: the second half of the switch, in the same transaction.
UPDATE public.generation SET state = 'live' WHERE number = $1

-- name: write_create_schema
-- Why: a schema's name cannot be an argument; Postgres itself quotes it.
SELECT format('CREATE SCHEMA %I', $1::text) AS statement

-- name: write_drop_schema
-- Why: likewise, for a generation that is no longer wanted.
SELECT format('DROP SCHEMA IF EXISTS %I CASCADE', $1::text) AS statement

-- name: enter_for_good
-- Why: the projector's connection works in one generation only.
SELECT set_config('search_path', $1, false)

-- name: enter_live
-- Why: a reader's transaction sees one generation, whatever is switched meanwhile.
SELECT set_config('search_path', schema, true) FROM public.generation WHERE state = 'live'

-- == the checkpoint ==

-- name: position
-- Why: every answer names the position it is true for.
SELECT position FROM checkpoint

-- name: take_over
-- Why: a new fence makes every older projector's next write fail.
UPDATE checkpoint SET fence = fence + 1 RETURNING position, fence, rolling, settled

-- name: last_event
-- Why: whoever goes on compares it with the ledger, which may have been replaced by another one meanwhile.
SELECT sequence, id FROM event ORDER BY sequence DESC LIMIT 1

-- name: move_checkpoint
-- Why: compare and set; no row comes back when another projector took over, moved on, or the generation was retired.
UPDATE checkpoint SET position = $1, rolling = $2, settled = $3
WHERE position = $4 AND fence = $5
    AND EXISTS (SELECT FROM public.generation WHERE schema = current_schema() AND state <> 'kept')
RETURNING position

-- name: hold_live
-- Why: while a switch compares positions, the live generation must not move on.
SELECT position FROM checkpoint FOR UPDATE

-- == what a batch needs to know ==

-- name: conversations_before
-- Why: the fold goes on from where the last batch left it.
SELECT c.tenant, c.id, c.state FROM conversation c
JOIN unnest($1::text[], $2::text[]) AS wanted (tenant, id) USING (tenant, id)

-- name: customers_before
-- Why: the fold goes on from where the last batch left it.
SELECT c.tenant, c.id, c.state FROM customer c
JOIN unnest($1::text[], $2::text[]) AS wanted (tenant, id) USING (tenant, id)

-- name: notifications_before
-- Why: an outcome changes the row that its intent made.
SELECT n.tenant, n.id, n.sequence, n.conversation, n.about, n.reason, n.recipient, n.transport, n.state, n.requested,
    n.escalates, n.settled_by
FROM notification n
JOIN unnest($1::text[], $2::text[]) AS wanted (tenant, id) USING (tenant, id)

-- name: ids_known
-- Why: an event id that the ledger holds twice counts once.
SELECT id FROM event WHERE id = ANY ($1::text[])

-- == rows that change ==

-- name: upsert_conversation
-- Why: the whole row is replaced, so that a batch and its events one by one end the same.
INSERT INTO conversation
SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[],
    $8::timestamptz[], $9::timestamptz[], $10::timestamptz[], $11::text[], $12::text[], $13::integer[], $14::text[],
    $15::text[], $16::text[], $17::text[], $18::timestamptz[], $19::text[], $20::text[], $21::text[], $22::text[],
    $23::text[], $24::timestamptz[], $25::text[], $26::bytea[])
ON CONFLICT (tenant, id) DO UPDATE SET (sequence, customer, status, owner, queue, opened, last_activity,
    waiting_since, contact_id, channel, repeats, offer_id, offer_agent, offer_contact_id, offer_packet_id,
    offer_expires, transfer_id, transfer_kind, transfer_sender, transfer_to, transfer_packet_id, transfer_expires,
    packet_id, state) = ROW (EXCLUDED.sequence, EXCLUDED.customer, EXCLUDED.status, EXCLUDED.owner, EXCLUDED.queue,
    EXCLUDED.opened, EXCLUDED.last_activity, EXCLUDED.waiting_since, EXCLUDED.contact_id, EXCLUDED.channel,
    EXCLUDED.repeats, EXCLUDED.offer_id, EXCLUDED.offer_agent, EXCLUDED.offer_contact_id, EXCLUDED.offer_packet_id,
    EXCLUDED.offer_expires, EXCLUDED.transfer_id, EXCLUDED.transfer_kind, EXCLUDED.transfer_sender,
    EXCLUDED.transfer_to, EXCLUDED.transfer_packet_id, EXCLUDED.transfer_expires, EXCLUDED.packet_id, EXCLUDED.state)

-- name: upsert_fact
-- Why: a fact is corrected or repeated in place; the ledger keeps what it was.
INSERT INTO fact
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::text[], $10::text[], $11::timestamptz[], $12::boolean[], $13::integer[])
ON CONFLICT (tenant, conversation, fact_id) DO UPDATE SET (sequence, name, value, origin, channel, contact_id,
    told_to, said, corrected, repeated) = ROW (EXCLUDED.sequence, EXCLUDED.name, EXCLUDED.value, EXCLUDED.origin,
    EXCLUDED.channel, EXCLUDED.contact_id, EXCLUDED.told_to, EXCLUDED.said, EXCLUDED.corrected, EXCLUDED.repeated)

-- name: upsert_promise
-- Why: a promise is kept in place.
INSERT INTO promise
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[],
    $7::timestamptz[], $8::timestamptz[])
ON CONFLICT (tenant, conversation, promise_id) DO UPDATE SET (agent, text, made, due, kept) =
    ROW (EXCLUDED.agent, EXCLUDED.text, EXCLUDED.made, EXCLUDED.due, EXCLUDED.kept)

-- name: upsert_callback
-- Why: a callback is attempted and ended in place.
INSERT INTO callback
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::text[],
    $8::integer[], $9::text[])
ON CONFLICT (tenant, conversation, callback_id) DO UPDATE SET (contact_id, queue, due, reason, attempts, status) =
    ROW (EXCLUDED.contact_id, EXCLUDED.queue, EXCLUDED.due, EXCLUDED.reason, EXCLUDED.attempts, EXCLUDED.status)

-- name: upsert_customer
-- Why: the whole row is replaced, as for conversations.
INSERT INTO customer
SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::boolean[], $5::text[], $6::bytea[])
ON CONFLICT (tenant, id) DO UPDATE SET (sequence, provisional, language, state) =
    ROW (EXCLUDED.sequence, EXCLUDED.provisional, EXCLUDED.language, EXCLUDED.state)

-- name: upsert_handle
-- Why: the same handle given again is one row.
INSERT INTO handle
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::bigint[], $6::boolean[])
ON CONFLICT (tenant, customer, kind, value_sha256) DO UPDATE SET (sequence, verified) =
    ROW (EXCLUDED.sequence, EXCLUDED.verified)

-- name: upsert_notification
-- Why: a notification moves from requested over sent to acknowledged or escalated in place.
INSERT INTO notification
SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::text[], $10::timestamptz[], $11::timestamptz[], $12::text[])
ON CONFLICT (tenant, id) DO UPDATE SET (sequence, conversation, about, reason, recipient, transport, state,
    requested, escalates, settled_by) = ROW (EXCLUDED.sequence, EXCLUDED.conversation, EXCLUDED.about,
    EXCLUDED.reason, EXCLUDED.recipient, EXCLUDED.transport, EXCLUDED.state, EXCLUDED.requested, EXCLUDED.escalates,
    EXCLUDED.settled_by)

-- == answers ==

-- name: timeline_of_conversation
-- Why: the story of one matter, in ledger order, a page at a time.
SELECT sequence, occurred AS at, recorded, type, conversation, customer, contact_id, channel, actor, text, open
FROM timeline WHERE tenant = $1 AND conversation = $2 AND sequence > $3 ORDER BY sequence LIMIT $4

-- name: timeline_of_customer
-- Why: the story of a person over all her matters, in ledger order, a page at a time.
SELECT sequence, occurred AS at, recorded, type, conversation, customer, contact_id, channel, actor, text, open
FROM timeline
WHERE tenant = $1 AND sequence > $3 AND (customer = $2 OR conversation IN (
    SELECT id FROM conversation WHERE tenant = $1 AND customer = $2))
ORDER BY sequence LIMIT $4

-- name: conversation
-- Why: one matter as it stands; its fold holds contacts, hops and facts verbatim.
SELECT status, state FROM conversation WHERE tenant = $1 AND id = $2

-- name: conversations_of_customer
-- Why: the latest matters of one person, in the order in which they were opened.
SELECT id, status, owner, queue, channel, opened, last_activity FROM (
    SELECT * FROM conversation WHERE tenant = $1 AND customer = $2 ORDER BY opened DESC, id DESC LIMIT $3) AS latest
ORDER BY opened, id

-- name: customer
-- Why: one person as she is known; her fold holds names and handles verbatim.
SELECT state FROM customer WHERE tenant = $1 AND id = $2

-- name: customer_of_handle
-- Why: who holds this number or address; the one who gave it last.
SELECT customer FROM handle WHERE tenant = $1 AND kind = $2 AND value_sha256 = $3 ORDER BY sequence DESC LIMIT 1

-- name: packet_of_conversation
-- Why: the last packet of a matter, as the bytes that were stored.
SELECT p.packet_id, p.sha256, p.sequence, e.body FROM packet p JOIN event e USING (sequence)
WHERE p.tenant = $1 AND p.conversation = $2 ORDER BY p.sequence DESC LIMIT 1

-- name: packet_by_id
-- Why: the packet that an offer or an acceptance names, as the bytes that were stored.
SELECT p.packet_id, p.sha256, p.sequence, e.body FROM packet p JOIN event e USING (sequence)
WHERE p.tenant = $1 AND p.packet_id = $2 ORDER BY p.sequence DESC LIMIT 1

-- name: settled
-- Why: whether an instant can still gain events: all that comes later settles at or after this one.
SELECT settled FROM checkpoint

-- name: sequence_at
-- Why: the largest sequence whose running maximum of store times is not later than an instant.
SELECT sequence FROM event WHERE settled <= $1 ORDER BY settled DESC, sequence DESC LIMIT 1

-- name: inbox_offered
-- Why: what an agent is asked to take.
SELECT id AS conversation, customer, status, owner, queue, contact_id, channel, waiting_since, offer_id,
    offer_agent AS agent, transfer_id,
    offer_packet_id AS packet_id, offer_expires AS expires
FROM conversation
WHERE tenant = $1 AND status <> 'resolved' AND offer_id IS NOT NULL
    AND ($2::text IS NULL OR offer_agent = $2) AND ($3::text IS NULL OR queue = $3)
ORDER BY offer_expires, id LIMIT $4

-- name: inbox_waiting
-- Why: what nobody was asked to take yet, the longest wait first.
SELECT id AS conversation, customer, status, owner, queue, contact_id, channel, waiting_since, offer_id,
    offer_agent AS agent, transfer_id,
    coalesce(transfer_packet_id, packet_id) AS packet_id, transfer_expires AS expires
FROM conversation
WHERE tenant = $1 AND status = 'waiting' AND offer_id IS NULL AND ($2::text[] IS NULL OR queue = ANY ($2))
ORDER BY waiting_since, id LIMIT $3

-- name: inbox_owned
-- Why: what an agent works on.
SELECT id AS conversation, customer, status, owner, queue, contact_id, channel, waiting_since, offer_id,
    offer_agent AS agent, transfer_id,
    packet_id, transfer_expires AS expires
FROM conversation
WHERE tenant = $1 AND status = 'owned' AND ($2::text IS NULL OR owner = $2) ORDER BY last_activity, id LIMIT $3

-- name: callbacks
-- Why: who is owed a call, the most urgent first.
SELECT b.callback_id, b.conversation, c.customer, b.contact_id, b.queue, b.due, b.reason, b.attempts, b.status
FROM callback b LEFT JOIN conversation c ON c.tenant = b.tenant AND c.id = b.conversation
WHERE b.tenant = $1 AND ($2::text IS NULL OR b.queue = $2) AND ($3::text IS NULL OR b.status = $3)
ORDER BY b.due, b.callback_id LIMIT $4

-- name: promises
-- Why: what was promised, the most urgent first.
SELECT p.promise_id, p.conversation, c.customer, p.agent, p.text, p.made, p.due, p.kept,
    CASE WHEN p.kept IS NULL THEN 'open' ELSE 'kept' END AS status
FROM promise p LEFT JOIN conversation c ON c.tenant = p.tenant AND c.id = p.conversation
WHERE p.tenant = $1 AND ($2::text IS NULL OR p.agent = $2)
    AND ($3::text IS NULL OR $3 = CASE WHEN p.kept IS NULL THEN 'open' ELSE 'kept' END)
ORDER BY p.due, p.promise_id LIMIT $4

-- name: overlooked
-- Why: requests that no person acknowledged and nobody was told about further, and lost calls that nobody owes a call.
SELECT r.id, r.sequence, r.conversation, r.contact_id, r.kind, r.queue, r.asked, n.id AS notification_id,
    coalesce(n.state, 'none') AS state, n.escalates
FROM request r LEFT JOIN notification n ON n.tenant = r.tenant AND n.about = r.id AND n.reason = 'new_request'
WHERE r.tenant = $1 AND (
    (r.kind <> 'lost' AND coalesce(n.state, 'none') NOT IN ('acknowledged', 'escalated'))
    OR (r.kind = 'lost' AND NOT EXISTS (SELECT FROM callback b
        WHERE b.tenant = r.tenant AND b.conversation = r.conversation AND b.callback_id = r.callback_id)))
ORDER BY r.sequence LIMIT $2

-- name: known
-- Why: late deliveries and the balance ask which event ids became facts, and from which delivery.
SELECT id, sequence, raw FROM event WHERE tenant = $1 AND id = ANY ($2::text[])

-- == digests: every column of every table in key order; personal texts by the SHA-256 of their stored bytes ==

-- name: digest_checkpoint
-- Why: the position, the running maximum of store times and the chain over all bodies; the fence is no fact.
SELECT position, rolling, settled FROM checkpoint

-- name: digest_event
-- Why: a changed or missing event is noticed.
SELECT sequence, id, tenant, aggregate, type, conversation, customer, occurred, recorded, stored, settled, raw,
    sha256(body) FROM event ORDER BY sequence

-- name: digest_timeline
-- Why: a changed row of a story is noticed.
SELECT sequence, tenant, conversation, customer, occurred, recorded, type, contact_id, channel, actor,
    sha256(convert_to(text, 'UTF8')), open FROM timeline ORDER BY sequence

-- name: digest_packet
-- Why: a packet that points elsewhere is noticed.
SELECT sequence, tenant, packet_id, conversation, sha256 FROM packet ORDER BY sequence

-- name: digest_conversation
-- Why: a changed owner, queue, offer or fold is noticed.
SELECT tenant, id, sequence, customer, status, owner, queue, opened, last_activity, waiting_since, contact_id,
    channel, repeats, offer_id, offer_agent, offer_contact_id, offer_packet_id, offer_expires, transfer_id,
    transfer_kind, transfer_sender, transfer_to, transfer_packet_id, transfer_expires, packet_id, sha256(state)
FROM conversation ORDER BY tenant COLLATE "C", id COLLATE "C"

-- name: digest_fact
-- Why: a changed fact is noticed.
SELECT tenant, conversation, fact_id, sequence, name, sha256(convert_to(value, 'UTF8')), origin, channel, contact_id,
    told_to, said, corrected, repeated
FROM fact ORDER BY tenant COLLATE "C", conversation COLLATE "C", fact_id COLLATE "C"

-- name: digest_promise
-- Why: a changed promise is noticed.
SELECT tenant, conversation, promise_id, agent, sha256(convert_to(text, 'UTF8')), made, due, kept
FROM promise ORDER BY tenant COLLATE "C", conversation COLLATE "C", promise_id COLLATE "C"

-- name: digest_callback
-- Why: a changed callback is noticed.
SELECT tenant, conversation, callback_id, contact_id, queue, due, reason, attempts, status
FROM callback ORDER BY tenant COLLATE "C", conversation COLLATE "C", callback_id COLLATE "C"

-- name: digest_customer
-- Why: a changed customer is noticed.
SELECT tenant, id, sequence, provisional, language, sha256(state)
FROM customer ORDER BY tenant COLLATE "C", id COLLATE "C"

-- name: digest_handle
-- Why: a handle that leads to somebody else is noticed.
SELECT tenant, customer, kind, value_sha256, sequence, verified
FROM handle ORDER BY tenant COLLATE "C", customer COLLATE "C", kind COLLATE "C", value_sha256

-- name: digest_request
-- Why: a request that vanished is noticed.
SELECT sequence, tenant, id, conversation, contact_id, kind, queue, callback_id, asked FROM request ORDER BY sequence

-- name: digest_notification
-- Why: a notification that was never acknowledged but looks so is noticed.
SELECT tenant, id, sequence, conversation, about, reason, recipient, transport, state, requested, escalates,
    settled_by
FROM notification ORDER BY tenant COLLATE "C", id COLLATE "C"
