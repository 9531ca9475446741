"""Fixtures of the router's tests."""

import pytest

from tests.router.in_memory_router import InMemoryRouter


@pytest.fixture
def router() -> InMemoryRouter:
    """A tenant to whom nothing has happened yet."""
    return InMemoryRouter()
