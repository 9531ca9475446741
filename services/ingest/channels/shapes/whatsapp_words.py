"""What a message of WhatsApp says: its words, and the files that came with it.

Source: whatsapp/cloud-api/webhooks/reference/messages, the page of each type, read 2026-11.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import msgspec

from services.ingest.channels.shapes import graph_webhooks as graph
from services.ingest.channels.shapes.graph_webhooks import Node, Words
from services.ingest.domain import texts
from shared import codec, events, strict

FILES: Mapping[str, str] = {
    "audio": "audio/ogg",
    "document": "application/octet-stream",
    "image": "image/jpeg",
    "sticker": "image/webp",
    "video": "video/mp4",
    "voice": "audio/ogg",
}
"""What a file is of which the provider does not say it."""
NAME_PARTS = ("first_name", "last_name")
FLOW_TOKEN = "flow_token"  # noqa: S105  the name of a field, no secret
"""What a flow is told apart by: not the customer's words."""


def kind_of(message: Node) -> str:
    """Return the type of a message; where it is not told, as in the documents' own examples, what it holds."""
    told = graph.word(message, "type")
    return told or next((name for name in (*READERS, *FILES) if name in message), "")


def of_message(kind: str, message: Node) -> Words:
    """Return what a message of a type says; empty words for a type that WhatsApp itself could not hand over."""
    return replace(_content(kind, message), quoted=_quoted(message))


def _content(kind: str, message: Node) -> Words:
    content = graph.node(message, kind)
    if kind in FILES:
        return _file(content, FILES[kind])
    reader = READERS.get(kind)
    return Words("") if reader is None else Words(graph.text(reader(content, message)))


def _quoted(message: Node) -> str | None:
    """Return what a message answers: an advertisement or a post, an article of the catalogue."""
    shown = graph.node(message, "referral")
    article = graph.word(message, "context", "referred_product", "product_retailer_id")
    return texts.quoted(
        [*(graph.word(shown, name) for name in ("headline", "body", "source_url")), article]
    )


def _file(content: Node, fallback: str) -> Words:
    source = graph.word(content, "id") or graph.word(content, "url") or graph.word(content, "link")
    declared = graph.word(content, "mime_type").partition(";")[0].strip().lower()
    file = events.AttachedFile(
        name=texts.line(graph.word(content, "filename"), graph.FILE_NAME_MAX_BYTES),
        media_type=texts.fit(declared, graph.FILE_NAME_MAX_BYTES) or fallback,
        source=texts.fit(source, graph.SOURCE_MAX_BYTES) or None,
    )
    return Words(graph.text([graph.word(content, "caption")]), 1, (file,))


def _text(content: Node, message: Node) -> list[str]:  # noqa: ARG001  the shape they share
    return [graph.word(content, "body")]


def _location(content: Node, message: Node) -> list[str]:  # noqa: ARG001  likewise
    """A place: what it is called, where it is, and its coordinates as RFC 5870 writes them."""
    named = [graph.word(content, name) for name in ("name", "address", "url")]
    place = (graph.word(content, "latitude"), graph.word(content, "longitude"))
    return [*named, f"geo:{place[0]},{place[1]}"] if all(place) else named


def _contacts(content: Node, message: Node) -> list[str]:  # noqa: ARG001  likewise
    """Whom she passed on: a name, and how to reach it, per line."""
    lines = []
    for each in graph.nodes(message, "contacts"):
        reached = [
            *(graph.word(phone, "phone") for phone in graph.nodes(each, "phones")),
            *(graph.word(mail, "email") for mail in graph.nodes(each, "emails")),
        ]
        called = (graph.word(each, "name", part) for part in ("formatted_name", *NAME_PARTS))
        name = next((part for part in called if part), "")
        lines.append(", ".join(part for part in (name, *reached) if part))
    return lines


def _button(content: Node, message: Node) -> list[str]:  # noqa: ARG001  likewise
    return [graph.word(content, "text") or graph.word(content, "payload")]


def _interactive(content: Node, message: Node) -> list[str]:  # noqa: ARG001  likewise
    """What she chose or filled in."""
    for name in ("button_reply", "list_reply"):
        chosen = graph.node(content, name)
        if chosen:
            return [graph.word(chosen, "title") or graph.word(chosen, "id")]
    return _flow(graph.node(content, "nfm_reply"))


def _flow(reply: Node) -> list[str]:
    """The fields of a form that was shown in the chat, as `name: value` per line."""
    written = graph.word(reply, "response_json")
    try:
        fields = msgspec.json.decode(written)
        strict.check_depth(written.encode())
    except codec.UNREADABLE:
        return [written or graph.word(reply, "body")]
    return _filled(graph.node({"fields": fields}, "fields")) or [graph.word(reply, "body")]


def _filled(fields: Node) -> list[str]:
    """Return fields as `name: value` per line, those of an address for themselves."""
    lines: list[str] = []
    for name, value in fields.items():
        if isinstance(value, dict):
            lines += _filled(value)
        elif name != FLOW_TOKEN and value != "":
            lines.append(f"{texts.clean(name)}: {graph.word(fields, name) or _as_json(value)}")
    return lines


def _as_json(value: object) -> str:
    return texts.clean(msgspec.json.encode(value).decode())


def _order(content: Node, message: Node) -> list[str]:  # noqa: ARG001  likewise
    """What she put into the cart: quantity, article and price per line."""
    lines = [graph.word(content, "text")]
    for each in graph.nodes(content, "product_items"):
        article, price = graph.word(each, "product_retailer_id"), graph.word(each, "item_price")
        cost = f", {price} {graph.word(each, 'currency')}" if price else ""
        lines.append(f"{graph.word(each, 'quantity')} x {article}{cost}".strip())
    return lines


def _system(content: Node, message: Node) -> list[str]:  # noqa: ARG001  likewise
    return [graph.word(content, "body")]


READERS: Mapping[str, Callable[[Node, Node], list[str]]] = {
    "button": _button,
    "contacts": _contacts,
    "interactive": _interactive,
    "location": _location,
    "order": _order,
    "system": _system,
    "text": _text,
}
