"""What ingest knows without any I/O: deliveries, signatures, texts, mails, the balance."""
