"""An account's own mail server, opened by a password or by access tokens, against a real one on loopback."""

import base64
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import pytest_asyncio
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from typing_extensions import override

from deploy.embedded.ports import LOOPBACK, free_ports
from services.notify.carriers import NotTaken
from services.notify.carriers.smtp import SmtpServer
from services.notify.channels import email
from services.notify.channels.email import Mail
from services.notify.domain.messages import SendingSettings, Unsendable, customer_message
from shared import mailbox_address, submission_address
from shared.policy import Account
from tests.fakes.token_endpoint import TokenEndpoint, token_endpoint
from tests.notify.samples import NOW, message
from tests.notify.sink import Sink

USER, PASSWORD = "help@shop.example", "a-secret-of-the-mailbox"
HOUSE = "smtp://127.0.0.1:1"
"""The house's own server, which nothing of these accounts may reach."""


class Guarded(Sink):
    """It takes mails from whoever has logged in."""

    async def handle_MAIL(  # noqa: N802  aiosmtpd's name
        self, _: SMTP, session: Session, envelope: Envelope, address: str, __: list[str]
    ) -> str:
        """Begin a mail; called by aiosmtpd."""
        envelope.mail_from = address
        return "250 ok" if session.authenticated else "530 log in first"


class Door(Controller):
    """A server that takes mails from whoever logged in by one of some mechanisms."""

    def __init__(self, sink: Sink, mechanisms: tuple[str, ...], endpoint: TokenEndpoint) -> None:
        self.mechanisms, self.endpoint = mechanisms, endpoint
        self.said: list[str] = []
        self.hung_over: list[bytes] = []
        for name in {"XOAUTH2", "OAUTHBEARER"} & set(mechanisms):
            setattr(sink, f"auth_{name}", self._by_token)
        super().__init__(sink, hostname=LOOPBACK, port=sink.port)

    @override
    def factory(self) -> SMTP:
        hidden = {"PLAIN", "LOGIN"} - set(self.mechanisms)
        return SMTP(
            self.handler,
            auth_require_tls=False,
            auth_exclude_mechanism=hidden,
            authenticator=self._by_password,
        )

    def _by_password(self, *said: Any) -> AuthResult:
        given = said[-1]
        assert isinstance(given, LoginPassword)
        good = (given.login, given.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=good, handled=False)

    async def _by_token(self, server: SMTP, args: list[str]) -> AuthResult:
        mechanism, said = args[0], base64.b64decode(args[1]).decode()
        self.said.append(f"{mechanism} {said}")
        start = f"user={USER}\x01" if mechanism == "XOAUTH2" else f"n,a={USER},\x01"
        token = said.removeprefix(f"{start}auth=Bearer ").removesuffix("\x01\x01")
        if token in self.endpoint.good:
            return AuthResult(success=True)
        heard = await server.challenge_auth('{"status":"401"}')
        assert isinstance(heard, bytes)
        self.hung_over.append(heard)
        return AuthResult(success=False, handled=False)


@contextmanager
def door(endpoint: TokenEndpoint, *mechanisms: str) -> Iterator[tuple[Sink, Door]]:
    """A running server and what it keeps."""
    sink = Guarded(free_ports(1)[0])
    running = Door(sink, mechanisms, endpoint)
    running.start()
    try:
        yield sink, running
    finally:
        running.stop()


@pytest_asyncio.fixture
async def endpoint() -> AsyncIterator[TokenEndpoint]:
    """Who gives out tokens."""
    async with token_endpoint(USER) as fake:
        yield fake


def mail(sink: Sink, secrets: dict[str, str], *, oauth: str | None = None) -> Mail:
    """An answer of an account that has a server of its own."""
    names = {name: name.upper() for name in secrets}
    account = Account(queue="hotline", address=USER, smtp=sink.url, oauth=oauth, secrets=names)
    around = SendingSettings(secrets={name.upper(): each for name, each in secrets.items()})
    return email.render(customer_message(message("e1"), account, email.address, around), NOW)


async def send(server: SmtpServer, what: Mail) -> int:
    """Hand it over."""
    async with server.transaction(what) as transaction:
        code: int = await transaction.commit()
        return code


@pytest.mark.parametrize(
    ("offered", "used"),
    [
        (("XOAUTH2", "OAUTHBEARER", "PLAIN"), "XOAUTH2"),
        (("OAUTHBEARER", "PLAIN"), "OAUTHBEARER"),
    ],
)
async def test_a_mail_leaves_by_the_accounts_own_server(
    endpoint: TokenEndpoint, offered: tuple[str, ...], used: str
) -> None:
    """By the mechanism that it offers; the token is asked for once and used for the next mail as well."""
    server = SmtpServer(HOUSE, endpoint.url)
    with door(endpoint, *offered) as (sink, running):
        for _ in range(2):
            assert await send(server, mail(sink, endpoint.secrets(), oauth="google")) == 250
    assert len(sink.arrived) == 2
    assert [each.partition(" ")[0] for each in running.said] == [used, used]
    assert len(endpoint.asked) == 1


@pytest.mark.parametrize(("offered", "heard"), [("XOAUTH2", b""), ("OAUTHBEARER", b"\x01")])
async def test_a_token_that_the_server_does_not_take_is_replaced(
    endpoint: TokenEndpoint, offered: str, heard: bytes
) -> None:
    """It was revoked: the server's challenge is answered, and the mail goes by the next one."""
    endpoint.refusals = [(200, b'{"access_token": "revoked", "expires_in": 3600}')]
    with door(endpoint, offered) as (sink, running):
        what = mail(sink, endpoint.secrets(), oauth="google")
        assert await send(SmtpServer(HOUSE, endpoint.url), what) == 250
    assert (running.hung_over, len(endpoint.asked)) == ([heard], 2)


async def test_a_server_that_takes_no_token_has_refused(endpoint: TokenEndpoint) -> None:
    """A mail is not tried on for ever: a person has to look."""
    with door(endpoint, "XOAUTH2") as (sink, running):
        what = mail(sink, endpoint.secrets(), oauth="google")
        endpoint.good = set()
        endpoint.refusals = [(200, b'{"access_token": "bad", "expires_in": 3600}')] * 2
        with pytest.raises(NotTaken) as refused:
            await send(SmtpServer(HOUSE, endpoint.url), what)
    assert (refused.value.answer, len(running.said), sink.arrived) == (535, 2, [])


@pytest.mark.parametrize(
    ("answer", "raised", "reason"),
    [
        ((400, b'{"error": "invalid_grant"}'), Unsendable, "grant_ended"),
        ((401, b'{"error": "invalid_client"}'), Unsendable, "token_refused"),
        ((503, b"busy"), NotTaken, None),
    ],
)
async def test_without_a_token_nothing_leaves(
    endpoint: TokenEndpoint,
    answer: tuple[int, bytes],
    raised: type[Exception],
    reason: str | None,
) -> None:
    """A provider that is away is asked again; a grant that ended fails the mail, with its reason."""
    endpoint.refusals = [answer]
    with door(endpoint, "XOAUTH2") as (sink, running):
        what = mail(sink, endpoint.secrets(), oauth="google")
        with pytest.raises(raised) as refused:
            await send(SmtpServer(HOUSE, endpoint.url), what)
    assert getattr(refused.value, "reason", None) == reason
    assert (running.said, sink.arrived) == ([], [])


async def test_a_server_is_opened_by_a_password_as_well(endpoint: TokenEndpoint) -> None:
    """A wrong one is a refusal, with the server's code."""
    with door(endpoint, "PLAIN") as (sink, _):
        server = SmtpServer(HOUSE)
        assert await send(server, mail(sink, {"user": USER, "password": PASSWORD})) == 250
        with pytest.raises(NotTaken) as refused:
            await send(server, mail(sink, {"user": USER, "password": "wrong"}))
    assert (refused.value.answer, len(sink.arrived)) == (535, 1)
    assert PASSWORD not in repr(mail(sink, {"user": USER, "password": PASSWORD}))


@pytest.mark.parametrize("missing", ["user", "client_id", "refresh_token"])
async def test_an_account_without_its_secrets_sends_nothing(
    endpoint: TokenEndpoint, missing: str
) -> None:
    """It is told of each message."""
    secrets = {name: each for name, each in endpoint.secrets().items() if name != missing}
    with pytest.raises(Unsendable) as refused:
        mail(Sink(), secrets, oauth="google")
    assert refused.value.reason == "secret_missing"


async def test_a_server_elsewhere_hears_no_secret_before_it_is_encrypted(
    endpoint: TokenEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that offers no STARTTLS gets nothing."""
    monkeypatch.setattr(mailbox_address, "is_here", lambda _: False)
    with door(endpoint, "XOAUTH2", "PLAIN") as (sink, running):
        for what in (
            mail(sink, endpoint.secrets(), oauth="google"),
            mail(sink, {"user": USER, "password": PASSWORD}),
        ):
            with pytest.raises(NotTaken):
                await send(SmtpServer(HOUSE, endpoint.url), what)
    assert (running.said, sink.arrived) == ([], [])


@pytest.mark.parametrize(
    ("written", "port"),
    [
        ("smtps://smtp.shop.example", 465),
        ("smtp://smtp.shop.example", 587),
        ("smtp://127.0.0.1:2525", 2525),
        ("http://smtp.shop.example", None),
        ("smtps://anna:secret@smtp.shop.example", None),
        ("smtps://smtp.shop.example/INBOX", None),
        ("smtps://smtp.shop.example:port", None),
        ("smtps://", None),
    ],
)
def test_where_an_accounts_answers_leave(written: str, port: int | None) -> None:
    """An address without secrets; what is none is a fault of the policy."""
    complaint = submission_address.complaint(written)
    assert (complaint is None) == (port is not None)
    if port is not None:
        assert submission_address.parse(written).port == port
