"""Ingest: what providers send becomes evidence in RAW, then contact events in CONTACTS."""
