"""Ingest's tests."""
