"""Faults under load, what was observed of them, and one checker of the invariants."""
