"""The ledger: what it promises, and its client on JetStream (`jetstream`)."""

from shared.ledger.protocol import (
    BATCH_EVENTS_MAX,
    Appended,
    Guard,
    Ledger,
    LedgerReader,
    Recorded,
    Write,
)

__all__ = [
    "BATCH_EVENTS_MAX",
    "Appended",
    "Guard",
    "Ledger",
    "LedgerReader",
    "Recorded",
    "Write",
]
