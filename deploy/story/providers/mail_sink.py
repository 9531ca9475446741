"""A mail server on loopback that keeps all mail: the customers' mail boxes of a story."""

import asyncio
import contextlib
import email
import email.policy
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.message import EmailMessage

from aiosmtpd.smtp import SMTP, Envelope, Session

from deploy.story.errors import StoryStackUnusable

MAILS_MAX = 10_000
MAIL_MAX_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as it arrived. `message_id`: with its angle brackets."""

    to: tuple[str, ...]
    title: str
    text: str
    message_id: str


class MailSink:
    """What arrived, in order. `url`: where it listens."""

    def __init__(self) -> None:
        self.url = ""
        self.mails: list[Mail] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  aiosmtpd's
        """Keep one mail; called by aiosmtpd."""
        if len(self.mails) >= MAILS_MAX:
            return "452 the story's mail boxes are full"
        self.mails.append(_read(envelope))
        return "250 kept"

    def repeat_last(self) -> None:
        """Let the last mail arrive once more. Raises: IndexError when none has arrived."""
        self.mails.append(self.mails[-1])


def _read(envelope: Envelope) -> Mail:
    content = envelope.content if isinstance(envelope.content, bytes) else b""
    message: EmailMessage = email.message_from_bytes(content, policy=email.policy.default)
    body = message.get_body(("plain",))
    return Mail(
        to=tuple(envelope.rcpt_tos),
        title=str(message.get("Subject", "")),
        text=body.get_content().replace("\r\n", "\n") if body is not None else "",
        message_id=str(message.get("Message-ID", "")).strip(),
    )


@contextlib.asynccontextmanager
async def mail_sink(host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[MailSink]:
    """Listen until the block ends; port 0 is a free one. Raises: StoryStackUnusable when the place is not free."""
    sink = MailSink()
    loop = asyncio.get_running_loop()
    try:
        server = await loop.create_server(
            lambda: SMTP(sink, data_size_limit=MAIL_MAX_BYTES, hostname="localhost", loop=loop),
            host,
            port,
        )
    except OSError as error:
        raise StoryStackUnusable(
            "the customers' mail boxes cannot listen", host=host, port=port, reason=error.strerror
        ) from None
    sink.url = f"smtp://{host}:{server.sockets[0].getsockname()[1]}"
    try:
        yield sink
    finally:
        server.close()
