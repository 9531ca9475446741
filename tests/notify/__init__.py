"""Tests of notify: its decisions, its mail, and the running service."""
