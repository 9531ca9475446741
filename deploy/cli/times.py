"""Reads days and time zones of the command line."""

import argparse
from datetime import date
from zoneinfo import available_timezones


def day(written: str) -> date:
    """Raises: ArgumentTypeError."""
    try:
        return date.fromisoformat(written)
    except ValueError:
        raise argparse.ArgumentTypeError(f"not a day: {written}") from None


def zone(written: str) -> str:
    """Return a zone of the IANA database. Raises: ArgumentTypeError."""
    if written not in available_timezones():
        raise argparse.ArgumentTypeError(f"no time zone: {written}")
    return written
