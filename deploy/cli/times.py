"""Reads days and time zones of the command line."""

import argparse
from datetime import date
from zoneinfo import available_timezones

FIRST, LAST = date(1970, 1, 1), date(9000, 1, 1)
"""No calendar ends within a day of these, in whatever zone."""


def day(written: str) -> date:
    """Return a day that has others before and after it. Raises: ArgumentTypeError."""
    try:
        found = date.fromisoformat(written)
    except ValueError:
        raise argparse.ArgumentTypeError(f"not a day: {written}") from None
    if not FIRST <= found <= LAST:
        raise argparse.ArgumentTypeError(f"not a day from {FIRST} to {LAST}: {written}")
    return found


def zone(written: str) -> str:
    """Return a zone of the IANA database. Raises: ArgumentTypeError."""
    if written not in available_timezones():
        raise argparse.ArgumentTypeError(f"no time zone: {written}")
    return written
