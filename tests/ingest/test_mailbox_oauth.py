"""A mailbox that takes access tokens and no password, against a real IMAP server and a fake token endpoint."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from typing_extensions import override

from services.ingest.channels import CHANNELS
from services.ingest.handlers.accounts import Door
from services.ingest.handlers.body_store import BodyStore
from services.ingest.handlers.mailbox import Mailbox
from services.ingest.handlers.raw_store import RawStore
from shared import errors, oauth
from shared.access_tokens import EARLY_SECONDS, REFUSED_SECONDS, AccessTokens
from shared.bus import Bus
from shared.clock import SystemClock
from shared.policy import Account
from tests.fakes.token_endpoint import TokenEndpoint, token_endpoint
from tests.ingest.remote_readers import reading
from tests.ingest.running_ingest import until
from tests.ingest.test_mailbox import (
    MAIL_MAX_BYTES,
    TENANT,
    arrived,
    bus,
    mail,
    needs_dovecot,
)
from tests.support import dovecot as servers
from tests.support.dovecot import Dovecot

__all__ = ["bus"]


@pytest_asyncio.fixture
async def endpoint() -> AsyncIterator[TokenEndpoint]:
    """Who gives out tokens."""
    async with token_endpoint(servers.USER) as fake:
        yield fake


@pytest_asyncio.fixture
async def dovecot(endpoint: TokenEndpoint) -> AsyncIterator[Dovecot]:
    """A server that asks whether a token is good."""
    async with servers.dovecot(f"{endpoint.url}/introspect") as server:
        yield server


class Telling(Mailbox):
    """A reader that remembers what it told."""

    told: tuple[str, ...] = ()

    @override
    def _tell(self, error: errors.TellonceError) -> None:
        self.told += (error.code,)
        super()._tell(error)


def make(
    bus: Bus,
    server: Dovecot,
    endpoint: TokenEndpoint,
    account: str,
    *,
    without: str = "",
    **secrets: str,
) -> Telling:
    """A reader of the server's mailbox; the public endpoint is played behind a gateway."""
    rules = Account(queue="hotline", imap=server.address, oauth="google")
    known = {name: each for name, each in endpoint.secrets(**secrets).items() if name != without}
    door = Door(TENANT, CHANNELS["email"], account, rules, known)
    store = RawStore(bus, BodyStore(bus), 8_192)
    return Telling(door, bus, store, SystemClock(), MAIL_MAX_BYTES, endpoint.url)


@needs_dovecot
async def test_a_mailbox_is_read_by_an_access_token(
    bus: Bus, dovecot: Dovecot, endpoint: TokenEndpoint
) -> None:
    """One is asked for, with what the secrets hold."""
    first, second = mail("o1"), mail("o2")
    dovecot.append(first)
    async with reading(make(bus, dovecot, endpoint, "oauth")):
        await arrived(bus, "oauth", first)
        dovecot.append(second)
        await arrived(bus, "oauth", first, second)
    assert [each["grant_type"] for each in endpoint.asked] == ["refresh_token"]


@needs_dovecot
async def test_a_mailbox_of_the_standard_alone_is_read_as_well(
    bus: Bus, endpoint: TokenEndpoint
) -> None:
    """It offers OAUTHBEARER and no XOAUTH2."""
    async with servers.dovecot(f"{endpoint.url}/introspect", "oauthbearer") as server:
        server.append(mail("s1"))
        async with reading(make(bus, server, endpoint, "standard")):
            await arrived(bus, "standard", mail("s1"))
    assert len(endpoint.asked) == 1


@needs_dovecot
async def test_a_token_that_the_mailbox_does_not_take_is_replaced(
    bus: Bus, dovecot: Dovecot, endpoint: TokenEndpoint
) -> None:
    """Whatever its time says: it was revoked."""
    endpoint.refusals = [(200, b'{"access_token": "revoked", "expires_in": 3600}')]
    dovecot.append(mail("r1"))
    async with reading(make(bus, dovecot, endpoint, "revoked")):
        await arrived(bus, "revoked", mail("r1"))
    assert len(endpoint.asked) == 2


async def told(reader: Telling, times: int) -> set[str]:
    """What keeps it from reading, when it has tried so often."""

    async def look() -> bool | None:
        return True if len(reader.told) >= times else None

    async with reading(reader):
        await until(look)
    return set(reader.told)


@needs_dovecot
async def test_a_grant_that_ended_is_told_and_not_asked_about_again(
    bus: Bus, dovecot: Dovecot, endpoint: TokenEndpoint
) -> None:
    """The reader tries on; the provider hears of it once."""
    reader = make(bus, dovecot, endpoint, "ended", refresh_token="an-old-one")
    assert await told(reader, 3) == {"provider.grant_ended"}
    assert reader.trouble is not None
    assert (reader.trouble.code, len(endpoint.asked)) == ("provider.grant_ended", 1)


@pytest.mark.parametrize("name", ["user", "client_id", "refresh_token"])
@needs_dovecot
async def test_an_account_without_its_secrets_says_so(
    bus: Bus, dovecot: Dovecot, endpoint: TokenEndpoint, name: str
) -> None:
    """Nobody is asked for anything."""
    reader = make(bus, dovecot, endpoint, "lacking", without=name)
    assert await told(reader, 1) == {"provider.without_secrets"}
    assert endpoint.asked == []


# -- tokens --------------------------------------------------------------------------------------------


class Times:
    """A clock that is set."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def tokens(endpoint: TokenEndpoint, times: Times, **secrets: str) -> AccessTokens:
    return AccessTokens(f"{endpoint.url}/token", endpoint.secrets(**secrets), now=times)


async def test_a_token_is_used_until_shortly_before_it_ends(endpoint: TokenEndpoint) -> None:
    """Then another one is asked for, once."""
    times = Times()
    ours = tokens(endpoint, times)
    assert [await ours.token(), await ours.token()] == ["token-1", "token-1"]
    times.now += endpoint.lasts_seconds - EARLY_SECONDS - 1
    assert await ours.token() == "token-1"
    times.now += 1
    assert [await ours.token(), await ours.token()] == ["token-2", "token-2"]
    assert "a-secret" not in repr(ours)


async def test_a_token_that_ends_soon_is_used_for_its_first_half(endpoint: TokenEndpoint) -> None:
    """A provider that gives out tokens for a minute is not asked with each mail; one that gives none of use is."""
    times = Times()
    ours, endpoint.lasts_seconds = tokens(endpoint, times), 60
    assert [await ours.token() for _ in range(100)] == ["token-1"] * 100
    times.now += 30
    assert await ours.token() == "token-2"
    endpoint.lasts_seconds, times.now = -1, times.now + 30
    assert [await ours.token(), await ours.token()] == ["token-3", "token-4"]


async def test_a_refusal_is_remembered_for_a_while(endpoint: TokenEndpoint) -> None:
    """And a person may have mended it since."""
    times = Times()
    ours = tokens(endpoint, times)
    endpoint.refusals = [(400, b'{"error": "invalid_grant"}')]
    for _ in range(3):
        with pytest.raises(errors.ProviderGrantEnded):
            await ours.token()
    assert len(endpoint.asked) == 1
    times.now += REFUSED_SECONDS
    assert await ours.token() == "token-2"


async def test_another_refresh_token_takes_the_place_of_ours(endpoint: TokenEndpoint) -> None:
    """Microsoft gives one with each token."""
    times = Times()
    ours = tokens(endpoint, times)
    given = b'{"access_token": "x", "expires_in": "60", "refresh_token": "the-next"}'
    endpoint.refusals = [(200, given)]
    assert await ours.token() == "x"
    times.now += 60
    with pytest.raises(errors.ProviderGrantEnded):
        await ours.token()  # the fake knows the first one alone
    assert endpoint.asked[1]["refresh_token"] == "the-next"


async def test_a_provider_that_is_away_is_asked_again(endpoint: TokenEndpoint) -> None:
    """What it did not say is no refusal."""
    ours = tokens(endpoint, Times())
    endpoint.refusals = [
        (503, b"busy"),
        (500, b'{"error": "server_error"}'),
        (200, b"[]"),
        (200, b"{}"),
    ]
    for _ in range(4):
        with pytest.raises(errors.ProviderUnavailable):
            await ours.token()
    assert await ours.token() == "token-5"
    gone = AccessTokens("http://127.0.0.1:1/token", endpoint.secrets())
    with pytest.raises(errors.ProviderUnavailable):
        await gone.token()


@pytest.mark.parametrize(
    ("lasts", "kept"), [(b"9" * 400, 86_400), (b'"' + b"9" * 400 + b'"', 86_400), (b"-5", 0)]
)
def test_a_token_lasts_for_a_day_at_most(lasts: bytes, kept: int) -> None:
    """No clock counts some numbers. What was given is a secret."""
    given = oauth.read(
        200, b'{"access_token":"hush","refresh_token":"hush","expires_in":%s}' % lasts
    )
    assert given.lasts_seconds == kept
    assert "hush" not in repr(given)


@pytest.mark.parametrize(
    ("status", "answer", "cause"),
    [
        (200, b'{"access_token":"a\\r\\nb"}', "http_200"),
        (200, b'{"access_token":"t","x":' + b"[" * 3_000, "http_200"),
        (200, b'{"access_token":"t","expires_in":"soon"}', "http_200"),
        (502, b"<html>", "http_502"),
        (503, b'{"error":"' + b"a" * 60_000 + b'"}', "http_503"),
    ],
)
def test_what_is_no_answer_of_a_token_endpoint_is_asked_again(
    status: int, answer: bytes, cause: str
) -> None:
    """Whatever it is, and how long."""
    with pytest.raises(errors.ProviderUnavailable) as refusal:
        oauth.read(status, answer)
    assert refusal.value.details["cause"] == cause


async def test_a_wrong_client_is_refused(endpoint: TokenEndpoint) -> None:
    """Another word than that of a grant that ended: somebody else mends it."""
    with pytest.raises(errors.ProviderRefused) as refusal:
        await tokens(endpoint, Times(), client_secret="wrong").token()
    assert refusal.value.details == {"cause": "invalid_client"}


@pytest.mark.parametrize(
    ("written", "good"),
    [
        ("google", True),
        ("microsoft", True),
        ("https://login.shop.example/token", True),
        ("http://127.0.0.1:8080/token", True),
        ("http://login.shop.example/token", False),
        ("https://anna:secret@login.shop.example/token", False),
        ("yahoo", False),
        ("", False),
    ],
)
def test_who_gives_out_tokens(written: str, good: bool) -> None:
    """A name that we know, or an address that nobody listens in on."""
    assert (oauth.complaint(written) is None) is good
