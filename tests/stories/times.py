"""A fixed moment for tests."""

from datetime import UTC, datetime

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
