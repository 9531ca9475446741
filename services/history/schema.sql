-- The tables of history. Everything here can be thrown away and rebuilt from the ledger.
-- Texts of people never hold a NUL byte here (Postgres refuses it): it stands as U+2400; `event.body` and the `state`
-- columns hold it verbatim.

-- name: house
-- One table outside all generations says which of them answers.
CREATE TABLE IF NOT EXISTS public.generation (
    number integer PRIMARY KEY,
    schema text NOT NULL UNIQUE,
    version integer NOT NULL,
    state text NOT NULL CHECK (state IN ('live', 'building', 'kept')),
    made timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX IF NOT EXISTS generation_one_live ON public.generation (state) WHERE state = 'live';

-- name: generation
-- The tables of one generation, made in its own schema (the first of the search path).
CREATE TABLE IF NOT EXISTS checkpoint (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    position bigint NOT NULL,
    fence bigint NOT NULL,
    rolling bytea NOT NULL,
    settled timestamptz NOT NULL
);
INSERT INTO checkpoint (position, fence, rolling, settled)
VALUES (0, 0, sha256(''::bytea), 'epoch') ON CONFLICT DO NOTHING;

CREATE TABLE IF NOT EXISTS event (
    sequence bigint PRIMARY KEY,
    id text NOT NULL UNIQUE,
    tenant text NOT NULL,
    aggregate text NOT NULL,
    type text NOT NULL,
    conversation text,
    customer text,
    occurred timestamptz NOT NULL,
    recorded timestamptz NOT NULL,
    stored timestamptz NOT NULL,
    settled timestamptz NOT NULL,
    raw text,
    body bytea NOT NULL
);
CREATE INDEX IF NOT EXISTS event_settled ON event (settled, sequence);

CREATE TABLE IF NOT EXISTS timeline (
    sequence bigint PRIMARY KEY,
    tenant text NOT NULL,
    conversation text,
    customer text,
    occurred timestamptz NOT NULL,
    recorded timestamptz NOT NULL,
    type text NOT NULL,
    contact_id text,
    channel text,
    actor text NOT NULL,
    text text,
    open text NOT NULL
);
CREATE INDEX IF NOT EXISTS timeline_conversation ON timeline (tenant, conversation, sequence);
CREATE INDEX IF NOT EXISTS timeline_customer ON timeline (tenant, customer, sequence);

CREATE TABLE IF NOT EXISTS packet (
    sequence bigint PRIMARY KEY,
    tenant text NOT NULL,
    packet_id text NOT NULL,
    conversation text NOT NULL,
    sha256 text NOT NULL
);
CREATE INDEX IF NOT EXISTS packet_id ON packet (tenant, packet_id, sequence);
CREATE INDEX IF NOT EXISTS packet_conversation ON packet (tenant, conversation, sequence);

CREATE TABLE IF NOT EXISTS conversation (
    tenant text NOT NULL,
    id text NOT NULL,
    sequence bigint NOT NULL,
    customer text,
    status text NOT NULL,
    owner text,
    queue text,
    opened timestamptz,
    last_activity timestamptz,
    waiting_since timestamptz,
    contact_id text,
    channel text,
    repeats integer NOT NULL,
    offer_id text,
    offer_agent text,
    offer_contact_id text,
    offer_packet_id text,
    offer_expires timestamptz,
    transfer_id text,
    transfer_kind text,
    transfer_sender text,
    transfer_to text,
    transfer_packet_id text,
    transfer_expires timestamptz,
    packet_id text,
    state bytea NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX IF NOT EXISTS conversation_customer ON conversation (tenant, customer);
CREATE INDEX IF NOT EXISTS conversation_open ON conversation (tenant, status) WHERE status <> 'resolved';

CREATE TABLE IF NOT EXISTS fact (
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

CREATE TABLE IF NOT EXISTS promise (
    tenant text NOT NULL,
    conversation text NOT NULL,
    promise_id text NOT NULL,
    agent text NOT NULL,
    text text NOT NULL,
    made timestamptz NOT NULL,
    due timestamptz NOT NULL,
    kept timestamptz,
    PRIMARY KEY (tenant, conversation, promise_id)
);

CREATE TABLE IF NOT EXISTS callback (
    tenant text NOT NULL,
    conversation text NOT NULL,
    callback_id text NOT NULL,
    contact_id text NOT NULL,
    queue text NOT NULL,
    due timestamptz NOT NULL,
    reason text NOT NULL,
    attempts integer NOT NULL,
    status text NOT NULL,
    PRIMARY KEY (tenant, conversation, callback_id)
);

CREATE TABLE IF NOT EXISTS customer (
    tenant text NOT NULL,
    id text NOT NULL,
    sequence bigint NOT NULL,
    provisional boolean NOT NULL,
    language text,
    state bytea NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE TABLE IF NOT EXISTS handle (
    tenant text NOT NULL,
    customer text NOT NULL,
    kind text NOT NULL,
    value_sha256 bytea NOT NULL,
    sequence bigint NOT NULL,
    verified boolean NOT NULL,
    PRIMARY KEY (tenant, customer, kind, value_sha256)
);
CREATE INDEX IF NOT EXISTS handle_value ON handle (tenant, kind, value_sha256, sequence);

CREATE TABLE IF NOT EXISTS request (
    sequence bigint PRIMARY KEY,
    tenant text NOT NULL,
    id text NOT NULL,
    conversation text NOT NULL,
    contact_id text,
    kind text NOT NULL,
    queue text,
    callback_id text,
    asked timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS request_id ON request (tenant, id);

CREATE TABLE IF NOT EXISTS notification (
    tenant text NOT NULL,
    id text NOT NULL,
    sequence bigint NOT NULL,
    conversation text,
    about text NOT NULL,
    reason text NOT NULL,
    recipient text NOT NULL,
    transport text NOT NULL,
    state text NOT NULL,
    requested timestamptz NOT NULL,
    escalates timestamptz,
    settled_by text,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX IF NOT EXISTS notification_about ON notification (tenant, about);
