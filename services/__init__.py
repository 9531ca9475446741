"""The four islands: ingest, router, history, notify. None imports another."""
