"""What every service agrees on: events, folds, the ledger client, subjects, errors, settings, clock."""

VERSION = "0.1.0"
"""Of the whole house: the package and the images are named by it."""
SERVICES = ("ingest", "router", "history", "notify")
