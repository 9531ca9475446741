-- name: create_packet
-- Why: a packet is found by its id or as a conversation's last one; its bytes stay in the event.
CREATE TABLE packet (
    sequence bigint NOT NULL,
    tenant text NOT NULL,
    packet_id text NOT NULL,
    conversation text NOT NULL,
    sha256 text NOT NULL
);

-- name: index_packet
-- Why: answers find their rows; a fill adds this to a table that is full.
ALTER TABLE packet ADD PRIMARY KEY (sequence);
CREATE INDEX packet_id ON packet (tenant, packet_id, sequence);
CREATE INDEX packet_conversation ON packet (tenant, conversation, sequence);

-- name: packet_of_conversation
-- Why: the last packet of a matter, as the bytes that were stored; none of a matter that has no packet yet.
SELECT p.packet_id, p.sha256, p.sequence, e.body
FROM conversation c LEFT JOIN LATERAL (SELECT packet_id, sha256, sequence FROM packet
    WHERE tenant = c.tenant AND conversation = c.id ORDER BY sequence DESC LIMIT 1) AS p ON true
LEFT JOIN event e ON e.sequence = p.sequence
WHERE c.tenant = $1 AND c.id = $2

-- name: packet_by_id
-- Why: the packet that an offer or an acceptance names, as the bytes that were stored.
SELECT p.packet_id, p.sha256, p.sequence, e.body FROM packet p JOIN event e USING (sequence)
WHERE p.tenant = $1 AND p.packet_id = $2 ORDER BY p.sequence DESC LIMIT 1
