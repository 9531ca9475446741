"""What every service agrees on: events, folds, the ledger client, subjects, errors, settings, clock."""

from importlib.metadata import version

VERSION = version("tellonce")
