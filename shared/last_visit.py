"""A visit to the shop's pages as a conversation notes it and a packet shows it. Pure.

Noted is what a packet can show at most: some 6 KiB. Where a packet has less room, it shows less of it.
"""

from msgspec.structs import replace

from shared.events import SeenPage
from shared.events.packet import Visit
from shared.fitting import MORE_GROWS_BYTES, cut, encoder

URL_MAX_BYTES = 256
WORDS_MAX_BYTES = 96
NAME_MAX_BYTES = 64
LENGTHS = ((6, 12, 5, 6), (3, 6, 5, 0), (1, 3, 2, 0), (0, 0, 0, 0))
"""So many pages, products, words of the campaign, and deeds: the first that fit."""


def fit_visit(visit: Visit) -> Visit:
    """Return what a conversation notes of a visit: the newest pages and deeds, the first of a long cart."""
    pages = [
        SeenPage(url=cut(each.url, URL_MAX_BYTES), title=cut(each.title, WORDS_MAX_BYTES))
        for each in visit.pages
    ]
    campaign = [(_words(name, NAME_MAX_BYTES), _words(value)) for name, value in visit.campaign]
    cart, did = [_words(each) for each in visit.cart], [_words(each) for each in visit.did]
    whole = replace(visit, pages=pages, cart=cart, campaign=campaign, did=did)
    return _shorter(whole, LENGTHS[0])


def visit_that_fits(visit: Visit | None, room: int) -> tuple[Visit | None, int]:
    """Return as much of a noted visit as takes at most `room` bytes, and the room left; `None` where nothing does."""
    if visit is None:
        return None, room
    for lengths in LENGTHS:
        shorter = _shorter(visit, lengths)
        size = len(encoder.encode(shorter))
        if size <= room - MORE_GROWS_BYTES:
            return shorter, room - size
    return None, room


def _shorter(visit: Visit, lengths: tuple[int, int, int, int]) -> Visit:
    pages, products, words, deeds = lengths
    return replace(
        visit,
        pages=visit.pages[len(visit.pages) - pages :] if pages < len(visit.pages) else visit.pages,
        cart=visit.cart[:products],
        campaign=visit.campaign[:words],
        did=visit.did[len(visit.did) - deeds :] if deeds < len(visit.did) else visit.did,
    )


def _words(text: str, limit: int = WORDS_MAX_BYTES) -> str:
    return cut(text, limit) or ""
