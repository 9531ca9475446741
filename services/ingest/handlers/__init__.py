"""What ingest does: doors and sockets that store, consumers that normalise, the balance that proves it."""
