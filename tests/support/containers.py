"""Whether containers can be used here."""

import gc
import warnings

import pytest
from testcontainers.core.docker_client import DockerClient


def skip_without_engine() -> None:
    """Skip the test, with the reason, where no container engine answers."""
    reason = _why_no_engine()
    if reason is not None:
        pytest.skip(reason)


def _why_no_engine() -> str | None:
    """Return why no container engine can be used, or `None` when one answers."""
    with warnings.catch_warnings():
        # The client leaves its socket open when it finds no engine.
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            DockerClient().client.ping()
        except Exception as error:  # noqa: BLE001  whatever it is, it is the reason that is reported
            return f"no container engine answers: {type(error).__name__}"
        finally:
            gc.collect()
    return None
