"""House rules that no tool checks; each failure names what to do instead."""
