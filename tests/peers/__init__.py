"""`make bench-peers`: the same events through other event stores and through ours."""
