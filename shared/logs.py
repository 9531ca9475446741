"""Structured logs: an event name in snake case and past tense, facts as keywords.

Never message text, addresses, names or tokens.
"""

import contextlib
import logging
import sys
from collections.abc import Sequence
from typing import TextIO, cast

import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict

from shared import tracing
from shared.settings import Settings


class _Patient:
    """Writes while there is room: a full disk costs lines of the log, never the work that was to be logged."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._file.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._file.flush()


def _traced(_: object, __: str, facts: EventDict) -> EventDict:
    """Name the trace that a line belongs to, where there is one."""
    trace_id = tracing.trace_id()
    return facts if trace_id is None else {**facts, "trace_id": trace_id}


def configure(service: str, settings: Settings) -> None:
    """Set up structlog for a process: one line per event on standard error, with the service's name.

    In the format `console` an exception's traceback follows its line.
    """
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _traced,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *(_JSON if settings.log_format == "json" else _CONSOLE),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _Patient(sys.stderr))),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)


# Both without the values of local variables: they hold what customers wrote.
_JSON: Sequence[structlog.typing.Processor] = (
    structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
    structlog.processors.JSONRenderer(),
)
_CONSOLE: Sequence[structlog.typing.Processor] = (
    structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
)
