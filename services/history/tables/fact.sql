-- name: create_fact
-- Why: what was told is looked at and counted without opening folds.
CREATE TABLE fact (
    tenant text NOT NULL,
    conversation text NOT NULL,
    fact_id text NOT NULL,
    sequence bigint NOT NULL,
    name text NOT NULL,
    value text NOT NULL,
    origin text NOT NULL,
    channel text,
    contact_id text,
    told_to text,
    said timestamptz NOT NULL,
    corrected boolean NOT NULL,
    repeated integer NOT NULL,
    PRIMARY KEY (tenant, conversation, fact_id)
);
