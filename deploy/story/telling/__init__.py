"""Telling a reader what was played and found: lines while it runs, one JSON report at its end."""
