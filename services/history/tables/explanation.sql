-- name: decisions_of_conversation
-- Why: why a matter went as it did, in ledger order, a page at a time; what was only said or told is left out.
SELECT sequence, recorded, type, actor, open
FROM timeline WHERE tenant = $1 AND conversation = $2 AND type = ANY ($3::text[]) AND sequence > $4
ORDER BY sequence LIMIT $5
