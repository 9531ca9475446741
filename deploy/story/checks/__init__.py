"""Checking: what a story expects, and what must hold at the end of every story."""
