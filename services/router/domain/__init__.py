"""The decisions: plain functions from what is known and what is asked to events. No clock, no I/O."""
