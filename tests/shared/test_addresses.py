"""An unreadable address is refused by name, whatever is wrong with it; a provider's leads through the gateway."""

import pytest

from deploy.embedded import postgres, wire
from deploy.embedded.errors import AddressInvalid
from shared import addresses
from shared.bus_address import Endpoint

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


@pytest.mark.parametrize(
    ("gateway", "url", "goes_to"),
    [
        ("", "https://api.provider.example/send?a=1", "https://api.provider.example/send?a=1"),
        ("http://gw:8025", "https://api.provider.example/bot1/x", "http://gw:8025/api.provider.example/bot1/x"),
        ("http://gw:8025/out/", "https://a.example:8443/x?a=1&b=%2F", "http://gw:8025/out/a.example:8443/x?a=1&b=%2F"),
        ("http://gw", "https://user:secret@a.example", "http://gw/a.example/"),
    ],
)  # fmt: skip
def test_what_is_for_a_provider_goes_through_the_gateway(
    gateway: str, url: str, goes_to: str
) -> None:
    """Host and path stand behind the gateway's own address; without one the provider itself is asked."""
    assert addresses.through(gateway, url) == goes_to


def test_what_an_address_leaves_out_is_filled_in() -> None:
    """The port of NATS, and no user; of several servers the first counts."""
    assert wire.parse_url("nats://[::1], nats://b:1") == Endpoint(
        host="::1", port=wire.DEFAULT_NATS_PORT, user=None, password=None
    )
