-- name: create_presence
-- Why: what somebody who is away was told of, nobody has seen.
CREATE TABLE presence (
    tenant text NOT NULL,
    agent text NOT NULL,
    sequence bigint NOT NULL,
    status text NOT NULL,
    PRIMARY KEY (tenant, agent)
);

-- name: available_agents
-- Why: who is there to see what was told.
SELECT agent FROM presence WHERE tenant = $1 AND status = 'available'
