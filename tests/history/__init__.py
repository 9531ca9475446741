"""history: projection, digests, rebuild, queries and as-of, on a real Postgres and a real NATS."""
