"""The chat widget's tests, in a real browser."""
