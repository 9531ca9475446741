"""An address that cannot be read is refused by name, whatever is wrong with it."""

import pytest

from deploy.embedded import postgres, wire
from deploy.embedded.errors import AddressInvalid

UNREADABLE = ["127.0.0.1:99999", "host:abc", "[::1:4222", ""]


@pytest.mark.parametrize("place", UNREADABLE)
def test_an_unreadable_nats_address_is_refused(place: str) -> None:
    """A port that is none and a bracket that is left open are as unreadable as another scheme."""
    with pytest.raises(AddressInvalid):
        wire.parse_url(f"nats://{place}")


@pytest.mark.parametrize("place", UNREADABLE)
async def test_an_unreadable_postgres_address_is_refused(place: str) -> None:
    """Likewise; nobody is asked."""
    with pytest.raises(AddressInvalid):
        await postgres.answers(f"postgresql://tellonce@{place}/tellonce")


async def test_a_host_that_can_be_no_name_does_not_answer() -> None:
    """Readable as an address, but no resolver takes it."""
    assert not await postgres.answers("postgresql://tellonce@a..b:5432/tellonce")


def test_what_an_address_leaves_out_is_filled_in() -> None:
    """The port of NATS, and no user; of several servers the first counts."""
    assert wire.parse_url("nats://[::1], nats://b:1") == wire.Endpoint(
        host="::1", port=wire.DEFAULT_NATS_PORT, user=None, password=None
    )
