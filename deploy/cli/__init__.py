"""The `tellonce` command: one module per group of verbs."""
