"""Fixtures of notify's integration tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.notify.running_notify import RunningNotify
from tests.notify.sink import Sink


@pytest.fixture
async def notify(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[RunningNotify]:
    """Real servers; parametrize indirectly with the fields of the policy."""
    with Sink() as sink:
        opened = RunningNotify(tmp_path, sink, getattr(request, "param", {}))
        await opened.open()
        yield opened
        await opened.close()
