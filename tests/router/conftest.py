"""Fixtures of the router's tests."""

import pytest

from tests.router.world import World


@pytest.fixture
def world() -> World:
    """A tenant to whom nothing has happened yet."""
    return World()
