"""Fixtures of the router's tests."""

from __future__ import annotations

import pytest

from tests.router.world import World


@pytest.fixture
def world() -> World:
    """A tenant to whom nothing has happened yet."""
    return World()
