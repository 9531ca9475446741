"""Fixtures of notify's integration tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.notify.house import House
from tests.notify.sink import Sink


@pytest.fixture
async def house(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[House]:
    """Real servers; parametrize indirectly with the seconds until an escalation."""
    with Sink() as sink:
        opened = House(tmp_path, sink, getattr(request, "param", 120.0))
        await opened.open()
        yield opened
        await opened.close()
