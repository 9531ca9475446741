"""What a process writes on standard error: one line per event, tracebacks without what customers wrote."""

import json
from collections.abc import Iterator
from typing import Literal

import pytest
import structlog

from shared import logs
from shared.settings import Settings


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Logging is of the whole process: other tests get it back as it was."""
    before = structlog.get_config()
    yield
    structlog.contextvars.unbind_contextvars("service")
    structlog.configure(**before)


def fail() -> None:
    personal = "what Anna wrote".upper()
    raise LookupError(f"no such parcel ({len(personal)} letters)")


def logged(log_format: Literal["json", "console"], capsys: pytest.CaptureFixture[str]) -> str:
    """Return what is written of an exception that is logged with its traceback."""
    logs.configure("notify", Settings(log_format=log_format))
    log = structlog.get_logger("test")
    try:
        fail()
    except LookupError:
        log.exception("delivery_failed", attempt=3)
    return capsys.readouterr().err


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_an_exception_is_told_by_type_and_message(
    log_format: Literal["json", "console"], capsys: pytest.CaptureFixture[str]
) -> None:
    """In both formats, with the place where it was raised and without the values of local variables."""
    written = logged(log_format, capsys)
    for wanted in (
        "delivery_failed",
        "LookupError",
        "no such parcel (15 letters)",
        "fail",
        "notify",
    ):
        assert wanted in written
    assert "WHAT ANNA WROTE" not in written


def test_json_is_one_object_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever collects logs reads a line at a time."""
    (line,) = logged("json", capsys).splitlines()
    found = json.loads(line)
    assert (found["event"], found["attempt"], found["service"]) == ("delivery_failed", 3, "notify")
    assert found["exception"][0]["exc_type"] == "LookupError"
