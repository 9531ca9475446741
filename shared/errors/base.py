"""The root of all errors."""

from collections.abc import Mapping
from typing import ClassVar


class TellonceError(Exception):
    """Root of all errors that Tellonce raises on purpose.

    Attributes:
        code: stable identifier, `<noun>.<reason>`.
        retryable: the same call may succeed later without a change (redeliver), else it never will.
        http_status: what a door answers.
        details: ids, limits and positions; no personal data.
        place: which entry of the ledger cannot be read, by `sequence` and `sha256`; empty for any other error.
    """

    code: ClassVar[str]
    sentence: ClassVar[str]
    retryable: ClassVar[bool] = False
    http_status: ClassVar[int] = 400

    def __init__(self, sentence: str | None = None, **details: str | int | bool | None) -> None:
        super().__init__(sentence or self.sentence)
        self.details = details
        self.place: Mapping[str, int | str] = {}

    def problem(self) -> dict[str, object]:
        """Return the error as commands, queries and doors answer it: code, message, retryable, details."""
        return {
            "code": self.code,
            "message": str(self),
            "retryable": self.retryable,
            "details": self.details,
        }
