"""The web chat: JSON frames over a WebSocket, and the same message as one signed POST.

The protocol is our own and described in docs/how-to/connect-chat.md; read 2026-11-29.
Frames of a page: `hello` (who is here), then `message` with an id that the page makes, and `received` or `read` with
the id of an answer that it got. Each is stored as one JSON body, `ChatMessage` or `ChatReceipt`, and acknowledged.
A `file` is stored as its `ChatFile` in one line with the bytes behind it, see `domain.chat_file`.
A POST of that body is signed by the Standard Webhooks scheme with the same key.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from services.ingest.domain import charsets, chat_file, delivery, outcome, texts, webhook_signature
from services.ingest.domain.delivery import no_answer as answer
from services.ingest.domain.delivery import no_handshake as handshake
from services.ingest.domain.fetching import UNKNOWN_TYPE
from services.ingest.domain.outcome import Parsed, Reported
from shared import chat_answers, codec, errors, events, handles, ids, strict

__all__ = ["KINDS", "MEDIUM", "NAME", "SECRETS", "answer", "handshake", "parse", "verify"]

NAME = "chat"
MEDIUM: events.Medium = "chat"
SECRETS = ("signing",)
KINDS: Mapping[str, str] = {
    "message": "message.received",
    "received": "message.delivered",
    "read": "message.read",
}
RECEIPTS: Mapping[str, type[events.MessageDelivered | events.MessageRead]] = {
    "received": events.MessageDelivered,
    "read": events.MessageRead,
}

NAME_MAX_BYTES = 512
CLIENT_ID = r"^[A-Za-z0-9_.:-]{1,128}\Z"
ClientId = Annotated[str, Meta(pattern=CLIENT_ID)]
Text = Annotated[str, Meta(min_length=1)]
Name = Annotated[str, Meta(max_length=256)]
Email = Annotated[str, Meta(max_length=handles.EMAIL_MAX_CHARACTERS)]
Page = Annotated[str, Meta(max_length=2_048)]


class Hello(msgspec.Struct, frozen=True, kw_only=True, tag="hello"):
    """Who is here. `signature`, `expires`: see `sign_email`; without a signature an address is only claimed.

    `after`: the id of the last answer that the page has; without it, it gets all that are kept.
    """

    session: ClientId
    after: Annotated[str, Meta(max_length=256)] | None = None
    name: Name | None = None
    email: Email | None = None
    signature: Annotated[str, Meta(max_length=256)] | None = None
    expires: Annotated[str, Meta(pattern=r"^[0-9]{1,12}\Z")] | None = None


class Message(msgspec.Struct, frozen=True, kw_only=True, tag="message"):
    """What the visitor wrote. `id`: made by the page, the same when it sends the message again."""

    id: ClientId
    text: Text
    page: Page | None = None


class File(msgspec.Struct, frozen=True, kw_only=True, tag="file"):
    """A file that the page will send once it hears `go`, in binary frames and with nothing between them.

    `id`: as of a message, which it is; `size`: in bytes.
    """

    id: ClientId
    name: Name | None = None
    media_type: Annotated[str, Meta(min_length=1, max_length=127)]
    size: Annotated[int, Meta(ge=1)]


class Received(msgspec.Struct, frozen=True, kw_only=True, tag="received"):
    """An answer has reached the page; nobody need have seen it. `id`: as the answer came."""

    id: Annotated[str, Meta(max_length=256)]


class Read(msgspec.Struct, frozen=True, kw_only=True, tag="read"):
    """An answer was shown to the visitor. `id`: as the answer came."""

    id: Annotated[str, Meta(max_length=256)]


class Typing(msgspec.Struct, frozen=True, kw_only=True, tag="typing"):
    """The visitor is typing. It is stored nowhere and answered by nothing."""


Receipt = Received | Read
Frame = Hello | Message | File | Received | Read | Typing


class ChatMessage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message as RAW holds it. `email_verified`: the shop vouches for the address."""

    session: ClientId
    id: ClientId
    text: Text
    name: Name | None = None
    email: Email | None = None
    email_verified: bool = False
    page: Page | None = None


class ChatFile(ChatMessage, frozen=True, kw_only=True, omit_defaults=True):
    """What RAW holds above a file: a message without words, and what the page said of the file."""

    text: str = ""
    file_name: Name | None = None
    media_type: str


class ChatReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """What a page has of an answer, as RAW holds it. `type`: of the frame; the door has looked whose answer it is."""

    session: ClientId
    type: str
    id: str


class _Posted(msgspec.Struct, frozen=True):
    """A message or receipt as some program may post it: only what was written must be readable."""

    text: Any = None
    type: Any = None
    session: Any = None
    id: Any = None
    name: Any = None
    email: Any = None
    email_verified: Any = False
    file_name: Any = None
    media_type: Any = None


_decoder = msgspec.json.Decoder(ChatMessage)
_posted = msgspec.json.Decoder(_Posted)


# -- the door ----------------------------------------------------------------------------------------


def verify(request: delivery.WebRequest, secrets: delivery.Secrets, public_url: str) -> None:  # noqa: ARG001  the shared shape
    """Check a POST by the Standard Webhooks scheme. Raises: SignatureInvalid."""
    webhook_signature.verify(request, secrets["signing"])


def sign_email(email: str, secret: str, expires: str | None = None) -> str:
    """Return what the shop's page puts into `signature`: hex of HMAC-SHA256 over the address as written.

    `expires`: until when the shop vouches for it, in seconds since 1970; then the address and, behind a line's end,
    this are signed. An address holds no line's end, so neither can be taken for the other.
    """
    signed = email if expires is None else f"{email}\n{expires}"
    return hmac.new(secret.encode(), signed.encode(), hashlib.sha256).hexdigest()


def vouched(hello: Hello, secrets: delivery.Secrets, now: datetime) -> bool:
    """Tell whether the shop vouches for the visitor's address at a time. What has expired vouches for nothing.

    Raises: SignatureInvalid when there is a signature and it does not fit: somebody pretends.
    """
    if hello.signature is None:
        return False
    if "signing" not in secrets or hello.email is None:
        raise errors.SignatureInvalid
    expected = sign_email(hello.email, secrets["signing"], hello.expires).encode()
    if not hmac.compare_digest(hello.signature.lower().encode(errors="replace"), expected):
        raise errors.SignatureInvalid
    return hello.expires is None or now.timestamp() < int(hello.expires)


def stored_body(hello: Hello, message: Message, *, verified: bool) -> bytes:
    """Return one message of a socket as RAW holds it."""
    return msgspec.json.encode(
        ChatMessage(
            session=hello.session,
            id=message.id,
            text=message.text,
            name=hello.name,
            email=hello.email,
            email_verified=verified,
            page=message.page,
        )
    )


def stored_file(hello: Hello, file: File, content: bytes, *, verified: bool) -> bytes:
    """Return one file of a socket as RAW holds it."""
    head = ChatFile(
        session=hello.session,
        id=file.id,
        name=hello.name,
        email=hello.email,
        email_verified=verified,
        file_name=file.name,
        media_type=file.media_type,
    )
    return chat_file.joined(msgspec.json.encode(head), content)


def stored_receipt(session: str, receipt: Receipt) -> bytes:
    """Return what a page has of an answer as RAW holds it."""
    kind = "read" if isinstance(receipt, Read) else "received"
    return msgspec.json.encode(ChatReceipt(session=session, type=kind, id=receipt.id))


def session_of(body: bytes) -> str | None:
    """Return the session of a message as RAW holds it; `None` for what is none."""
    try:
        return _decoder.decode(body).session
    except codec.UNREADABLE:
        return None


# -- normalising --------------------------------------------------------------------------------------


def parse(raw: delivery.RawDelivery) -> Parsed:
    """Return the message, or the receipt of an answer.

    Session, id and text name a message, so a repeated one has the same event id.

    No other field discards what was written: what is no name or address is none, and nothing but `true` vouches.
    """
    body, content = chat_file.parts(raw)
    try:
        message = strict.read_json(texts.whole_json(charsets.decode(body)), _posted)
    except codec.UNREADABLE:
        return outcome.unreadable()
    if message.text is None and message.type in RECEIPTS:
        return _receipt(message, raw)
    text = message.text if isinstance(message.text, str) else ""
    if not text and not content:
        return outcome.unreadable()
    session = _id(message.session, raw)
    provider_id = f"{session}/{_id(message.id, raw)}"
    files = [_file(message, content)] if content else []
    about = outcome.about(raw, MEDIUM, session, provider_id)
    opened = events.MessageReceivedOpen(**about, attachments=len(files))
    said = [text.encode(), content] if content else [text.encode()]
    is_a_page = message.session == session
    page = chat_answers.page_of(raw.tenant, raw.account, session) if is_a_page else None
    personal = _personal(raw.account, session, page, message, text, files)
    event = outcome.contact_event(raw, events.MessageReceived, opened, personal, said)
    return Reported([(session, event)])


def _id(given: Any, raw: delivery.RawDelivery) -> str:
    """Return an id as a page makes it; of another one its hash, which is no other message's; else the body's."""
    if isinstance(given, str) and re.match(CLIENT_ID, given):
        return given
    return ids.body_sha256(msgspec.json.encode(given)) if given else raw.sha256


def _receipt(posted: _Posted, raw: delivery.RawDelivery) -> Parsed:
    """Return what a page has of an answer. Two pages of a session that have it say one thing."""
    named = chat_answers.answer_id(posted.id)
    if named is None:
        return outcome.unreadable(posted.type)
    ours, kind = named.reference, RECEIPTS[posted.type]
    about = outcome.about(raw, MEDIUM, ours.message, ours.message)
    opened = events.MessageOutcomeOpen(
        **{**about, "contact_id": events.ContactId(f"out-{ours.message}")},
        automatic=True,
        message_id=ours.message,
    )
    event = outcome.contact_event(
        raw, kind, opened, events.ContactPersonal(), conversation=ours.conversation
    )
    return Reported([(ours.conversation, event)])


def _file(posted: _Posted, content: bytes) -> events.AttachedFile:
    name = posted.file_name if isinstance(posted.file_name, str) else None
    kind = posted.media_type if isinstance(posted.media_type, str) else ""
    return events.AttachedFile(
        name=texts.line(name, NAME_MAX_BYTES),
        media_type=texts.fit(kind, NAME_MAX_BYTES) or UNKNOWN_TYPE,
        size_bytes=len(content),
        sha256=ids.body_sha256(content),
    )


def _personal(
    account: str,
    session: str,
    page: str | None,
    message: _Posted,
    text: str,
    files: list[events.AttachedFile],
) -> events.MessageReceivedPersonal:
    """Return who wrote what. `page`: where answers reach the visitor; nobody vouches for who sits there."""
    known = [handles.reference(NAME, account, session)]
    address = handles.email(message.email) if isinstance(message.email, str) else None
    if address is not None:
        proof: events.Proof = "proved" if message.email_verified is True else "claimed"
        known.append(handles.of("email", address, proof))
    if page is not None:
        known.append(handles.of("account", f"{NAME}:{page}", "claimed"))
    name = message.name if isinstance(message.name, str) else None
    return events.MessageReceivedPersonal(
        handles=known, name=texts.line(name), text=texts.fit(text), files=files
    )
