"""A real SMTP server on loopback that keeps what arrives, and can refuse, hold or cut on demand."""

import asyncio
import email
import email.policy
import threading
from dataclasses import dataclass, field
from email.message import EmailMessage
from types import TracebackType
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from deploy.embedded.ports import LOOPBACK, free_ports

TAKEN = "250 taken"


@dataclass
class Arrival:
    """One mail as the server took it."""

    sender: str | None
    recipients: list[str]
    message: EmailMessage


@dataclass
class Sink:
    """`async`-free on the outside: it runs in a thread of its own.

    Attributes:
        rcpt, data: what RCPT and the end of DATA are answered with; a mail is kept before DATA is answered
            when `data` is a 2yz or `hold` is set.
        hold: do not answer the end of DATA; the mail was taken all the same.
        dialogues: how many mails reached RCPT.
    """

    port: int = field(default_factory=lambda: free_ports(1)[0])
    rcpt: str = "250 ok"
    data: str = TAKEN
    hold: bool = False
    cut: bool = False
    dialogues: int = 0
    arrived: list[Arrival] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    _controller: Controller | None = None

    @property
    def url(self) -> str:
        return f"smtp://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        self._controller = Controller(self, hostname=LOOPBACK, port=self.port)
        self._controller.start()

    def stop(self) -> None:
        self.released.set()
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    async def handle_RCPT(  # noqa: N802  aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[Any]
    ) -> str:
        self.dialogues += 1
        if self.rcpt.startswith("2"):
            envelope.rcpt_tos.append(address)
        return self.rcpt

    async def handle_DATA(  # noqa: N802  aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self.data.startswith("2"):
            self._keep(envelope)
        if self.hold:
            await asyncio.to_thread(self.released.wait)
        if self.cut:
            assert isinstance(server.transport, asyncio.WriteTransport)
            server.transport.abort()
        return self.data

    def _keep(self, envelope: Envelope) -> None:
        content = envelope.content
        assert isinstance(content, bytes)
        message = email.message_from_bytes(content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.arrived.append(Arrival(envelope.mail_from, list(envelope.rcpt_tos), message))
