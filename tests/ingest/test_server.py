"""Where the doors listen."""

import asyncio
import contextlib
import errno
import resource
import socket

import pytest
from structlog.testing import capture_logs

from services.ingest.handlers import logged, server
from shared import listening
from shared.errors import SettingInvalid
from shared.settings import Settings

NAMES = "TELLONCE_INGEST_HOST and TELLONCE_INGEST_PORT"


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:"),
        ("127.0.0.2", "http://127.0.0.2:"),
        ("localhost", "http://"),
        ("::1", "http://[::1]:"),
        ("0.0.0.0", "http://127.0.0.1:"),  # noqa: S104  nothing listens
    ],
)
def test_a_host_may_be_any_address_or_name_of_this_machine(host: str, address: str) -> None:
    """The address that it says is one that this machine reaches."""
    with contextlib.closing(listening.bound_socket(host, 0, NAMES)) as bound:
        said = listening.address(bound)
        assert said.startswith(address)
        assert said.endswith(f":{bound.getsockname()[1]}")


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid", "::ffff::"])
def test_a_host_that_is_not_ours_is_refused_by_its_variable(host: str) -> None:
    """A slip in a setting is no traceback."""
    with pytest.raises(SettingInvalid, match="TELLONCE_INGEST_HOST") as refused:
        listening.bound_socket(host, 0, NAMES)
    assert refused.value.details == {"host": host, "port": 0}


def test_a_port_that_is_taken_is_refused_by_its_variable() -> None:
    """Two services that were given one port."""
    with contextlib.closing(listening.bound_socket("127.0.0.1", 0, NAMES)) as first:
        first.listen()
        with pytest.raises(SettingInvalid, match="TELLONCE_INGEST_PORT"):
            listening.bound_socket("127.0.0.1", first.getsockname()[1], NAMES)


@pytest.mark.parametrize(
    ("limits", "asked", "sum_is"),
    [
        ((20_000, 20_000), None, 6_280),
        ((1_024, 20_000), 6_472, 6_280),
        ((1_024, resource.RLIM_INFINITY), 6_472, 6_280),
        ((1_024, 1_024), None, 830),
        ((100, 100), None, 3),
    ],
)
def test_connections_fit_the_files_that_may_be_open(
    monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int], asked: int | None, sum_is: int
) -> None:
    """The system is asked for more; where it has no more to give, no kind of connection takes all of them."""
    set_to: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: set_to.append(pair))
    fitted = server.fitted(Settings())
    assert server.connections_of(fitted) == sum_is
    assert set_to == ([] if asked is None else [(asked, limits[1])])
    assert fitted.door_arrivals < server.connections_of(fitted)


async def test_that_files_are_lacking_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """Each connection that cannot be taken says so: a crowd must not fill the log. All else is told as ever."""
    loop, complaints = asyncio.get_running_loop(), server.Complaints()
    with contextlib.closing(socket.socket()) as listening, capture_logs() as logs:
        for _ in range(100):
            lacking = OSError(errno.EMFILE, "Too many open files")
            complaints.hear(loop, {"message": "x", "exception": lacking, "socket": listening})
        complaints.hear(loop, {"message": "a task failed", "exception": OSError(errno.EMFILE, "x")})
    assert [each["event"] for each in logs] == [logged.FILES_LACKING]
    assert [each.message for each in caplog.records] == ["a task failed"]
