"""What visitors do on a shop's pages, by Matomo's Tracking HTTP API: the page tells us as its second tracker.

Matomo itself reports nothing. Its script in the page sends each hit to every tracker that it knows: as parameters of an
address, as a form, or several in JSON (`requests`). Who the visitor is the page claims; the address with its secret
stands in the page, where everybody can read it.

Sources, read 2026-11: developer.matomo.org, "Tracking HTTP API" (5.x: parameters, ecommerce, bulk tracking);
matomo.org/faq, "How do I send tracking requests to two or more Matomo servers?", faq_120 and "Campaign tracking URL
structure" (names of campaign parameters); matomo.js and its offline service worker (a hit that was not taken is sent
again with another `send_image`, or later with `cdo`, how many seconds it has waited).
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from services.ingest.channels.shapes import door_token
from services.ingest.domain import delivery, form_body, loose, outcome, texts
from services.ingest.domain.delivery import no_answer as answer
from services.ingest.domain.outcome import Ignored, Parsed, Reported
from shared import codec, events, handles, ids

__all__ = ["KINDS", "MEDIUM", "NAME", "SECRETS", "answer", "handshake", "parse", "verify"]

NAME = "matomo"
MEDIUM: events.Medium = "site"
SECRETS = ("signing",)
"""`signing`: the secret in the address."""
VISIT = "visit.summarised"
IGNORED = "ignored"
KINDS: Mapping[str, str] = {
    "page": VISIT,
    "event": VISIT,
    "search": VISIT,
    "download": VISIT,
    "link": VISIT,
    "goal": VISIT,
    "cart": VISIT,
    "order": VISIT,
    "unrecorded": IGNORED,
    "ping": IGNORED,
    "bot": IGNORED,
    "content": IGNORED,
    "media": IGNORED,
    "crash": IGNORED,
    "form": IGNORED,
}
"""What a hit is, by its parameters, for the API names no kinds. Ignored are what is not to be recorded (`rec`), what
only says that the page is still open, and reports on parts of a page that was told of."""

IGNORED_BY: Mapping[str, str] = {
    "c_n": "content",
    "ma_id": "media",
    "cra": "crash",
    "fa_vid": "form",
}
"""A parameter of a kind that is ignored. `fa_vid`: of form analytics, from memory."""
DONE_BY: Mapping[str, str] = {
    "search": "search",
    "download": "download",
    "link": "link",
    "e_c": "event",
}
ECOMMERCE_GOAL = "0"
BOTS_ONLY = "1"
NOT_SAID = frozenset({"send_image", "cdo", "queuedtracking", "token_auth"})
"""Parameters by which the same hit differs when it is sent again, or that say nothing of it."""

CAMPAIGN = re.compile(r"(?:mtm|matomo|pk|piwik|utm)_([a-z_]{1,32})\Z")
ITEM_NAMES = (1, 0)
"""Where an item of a cart has its name, and where its number in the shop, if it has no name."""
CART_MAX = 16
ID_MAX_BYTES = 256
WORD_MAX_BYTES = 512
URL_MAX_BYTES = 2_048

Hit = Mapping[str, str]
_items = msgspec.json.Decoder(list[list[Any]])
_BEFORE_QUERY = re.compile(r"\A[^=?]*\?")
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]{16}\Z")


def handshake(request: delivery.WebRequest, secrets: delivery.Secrets) -> delivery.Answer | None:  # noqa: ARG001  the shared shape
    """Return that what comes by GET is a delivery: the script asks for an image."""
    return delivery.BY_GET


def verify(request: delivery.WebRequest, secrets: delivery.Secrets, public_url: str) -> None:  # noqa: ARG001  the shared shape
    """Check the secret in the address. Raises: SignatureInvalid."""
    door_token.verify(request, secrets["signing"])


def parse(raw: delivery.RawDelivery) -> Parsed:
    """Return what was done, one event a hit; one that cannot be read costs no other."""
    hits = _hits(raw)
    return outcome.unreadable() if hits is None else outcome.together(raw, _each(raw, hits))


def _each(raw: delivery.RawDelivery, hits: list[Hit | None]) -> Iterator[Parsed]:
    if not hits:
        yield outcome.not_an_event()
    for hit in hits:
        if hit is None:
            yield outcome.unreadable()
        elif "idsite" not in hit:
            yield outcome.not_an_event()
        elif KINDS[kind := _kind(hit)] == IGNORED:
            yield Ignored(kind)
        else:
            yield Reported([_visit(raw, hit, kind)])


def _kind(hit: Hit) -> str:
    if hit.get("rec") != "1":
        return "unrecorded"
    if hit.get("ping") == "1":
        return "ping"
    if hit.get("recMode") == BOTS_ONLY:
        return "bot"
    if hit.get("idgoal") == ECOMMERCE_GOAL:
        return "order" if hit.get("ec_id") else "cart"
    if hit.get("idgoal"):
        return "goal"
    marked = (kind for name, kind in {**IGNORED_BY, **DONE_BY}.items() if hit.get(name))
    return next(marked, "page")


# -- reading hits ---------------------------------------------------------------------------------------


def _hits(raw: delivery.RawDelivery) -> list[Hit | None] | None:
    """Return the hits of a delivery, `None` for each that is none; `None` for a body that is none of the formats.

    A POST without a body has its parameters in the address, as every GET has.
    """
    if not raw.body.lstrip().startswith(b"{"):
        body = raw.body or raw.path.partition("?")[2].encode(errors="replace")
        hit = _parameters(body)
        return None if hit is None else [hit]
    try:
        found = loose.table(loose.read(raw.body))
    except codec.UNREADABLE:
        return None
    told = found.get("requests")
    return [_hit(each) for each in (told if isinstance(told, list) else [found])]


def _hit(told: Any) -> Hit | None:
    """Return one of several hits: an address with its parameters, or these by their names."""
    if isinstance(told, str):
        return _parameters(told.encode(errors="replace"))
    flat = {name: str(said) for name, said in loose.table(told).items() if _is_plain(said)}
    return flat or None


def _is_plain(said: Any) -> bool:
    return isinstance(said, str | int | float) and not isinstance(said, bool)


def _parameters(written: bytes) -> Hit | None:
    """Return the parameters of an address or of a form; of a repeated one the last, as Matomo reads it."""
    query = _BEFORE_QUERY.sub("", written.decode("latin-1"), count=1).encode("latin-1")
    pairs = form_body.pairs(query.strip(), form_body.URLENCODED)
    return dict(pairs) if pairs else None


# -- what a hit says ------------------------------------------------------------------------------------


def _visit(raw: delivery.RawDelivery, hit: Hit, kind: str) -> tuple[str, events.ContactEvent]:
    """Return what one hit says. It has no id of its own: what it says names it, with the number that it was given."""
    said = {name: value for name, value in hit.items() if name not in NOT_SAID}
    named = ids.body_sha256(msgspec.json.encode(said, order="deterministic"))
    user = texts.line(hit.get("uid"), ID_MAX_BYTES)
    visitor = _visitor(hit)
    who = visitor or user or named
    opened = events.ContactOpen(
        **{**outcome.about(raw, MEDIUM, who, named), "provider_time": _time(raw, hit)}
    )
    cart = _cart(hit) if kind in ("cart", "order") else None
    personal = events.VisitSummarisedPersonal(
        handles=_handles(user, visitor, raw.rules.region),
        did=_did(hit, kind),
        pages=_pages(hit) if kind in ("page", "search") else [],
        cart=cart or [],
        cart_is=None if cart is None else "ordered" if kind == "order" else "whole",
        campaign=_campaign(hit),
    )
    return who, outcome.contact_event(raw, events.VisitSummarised, opened, personal)


def _visitor(hit: Hit) -> str | None:
    """Return the visitor's id; one that the page has set stands before that of the browser."""
    given = (texts.line(hit.get(name), ID_MAX_BYTES) for name in ("cid", "_id"))
    found = next((each for each in given if each), None)
    return found.lower() if found and _HEXADECIMAL.match(found) else found


def _handles(user: str | None, visitor: str | None, region: str | None) -> list[events.Handle]:
    """Return who the page says that she is, the surest first: many shops call a user by her address or number."""
    address = handles.email(user)
    number = handles.phone(user, region) if user and user.startswith("+") else None
    return handles.of_visitor(NAME, address=address, number=number, user=user, visitor=visitor)


def _did(hit: Hit, kind: str) -> list[str]:
    """Return what was done beside looking at a page, in words that Matomo's reports have for it."""
    event = " / ".join(each for name in ("e_c", "e_a", "e_n") if (each := hit.get(name, "")))
    product = hit.get("_pkn") or hit.get("_pks")
    done = {
        "event": event,
        "search": f"Site search: {hit.get('search')}",
        "download": f"Download: {hit.get('download')}",
        "link": f"Outlink: {hit.get('link')}",
        "goal": f"Goal: {hit.get('idgoal')}",
        "cart": "Cart update",
        "order": f"Order: {hit.get('ec_id')}",
        "page": f"Product: {product}" if product else "",
    }
    line = texts.line(done[kind], WORD_MAX_BYTES)
    return [] if line is None else [line]


def _pages(hit: Hit) -> list[events.SeenPage]:
    url = texts.line(hit.get("url", "")[:URL_MAX_BYTES].partition("#")[0], URL_MAX_BYTES)
    title = texts.line(hit.get("action_name"), WORD_MAX_BYTES)
    return [events.SeenPage(url=url, title=title)] if url or title else []


def _cart(hit: Hit) -> list[str] | None:
    """Return the names of all that lies in the cart, which is always told as a whole; `None` if it cannot be read."""
    try:
        listed = _items.decode(texts.whole_json(hit.get("ec_items") or "[]"))
    except codec.UNREADABLE:
        return None
    return [name for each in listed[:CART_MAX] if (name := _named(each))]


def _named(item: list[Any]) -> str | None:
    """Return the name of an item, else its number in the shop."""
    told = [str(item[n]) for n in ITEM_NAMES if n < len(item) and _is_plain(item[n])]
    return next((line for each in told if (line := texts.line(each, WORD_MAX_BYTES))), None)


def _campaign(hit: Hit) -> list[tuple[str, str]]:
    """Return what brought her: the parameters of a campaign, in the query or the fragment of the page's address."""
    page, _, fragment = hit.get("url", "")[:URL_MAX_BYTES].partition("#")
    parts = (fragment, page.partition("?")[2])
    pairs = (pair for part in parts for pair in parse_qsl(part))
    named = (
        (CAMPAIGN.match(name.lower()), texts.line(said, WORD_MAX_BYTES)) for name, said in pairs
    )
    found = {name[1]: said for name, said in named if name and said}
    return sorted(found.items())[:CART_MAX]


def _time(raw: delivery.RawDelivery, hit: Hit) -> datetime | None:
    """Return when a hit says that it was, which only a late one does: how long ago, or when, in UTC."""
    waited = loose.whole(hit.get("cdo"))
    written = hit.get("cdt", "")
    try:
        if waited is not None:
            return raw.received - timedelta(seconds=waited)
        time = loose.instant(written) or datetime.fromisoformat(written)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
