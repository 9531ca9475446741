"""history: projects the ledger into Postgres and answers what was said, done and shown, now and at any time before."""
