"""The work of ingest: doors and sockets store deliveries, consumers normalise them, the balance proves the result."""
