"""Writes VISITS: what a visitor did, on her subject, and whose handle she was said to have, on the handle's.

A repetition meets its message id within the stream's window; later it stands there twice, and whoever reads it knows
it by its id.
"""

from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from shared import events, ids, proof, streams, subjects, visits
from shared.bus import Bus
from shared.codec import Codec

TOGETHER = 256
"""Messages that are stored without waiting in between."""
LINKS_REMEMBERED = 20_000
LINK_AGAIN = timedelta(days=1)
"""A visitor who is named at each step is noted once a day, and again by a process that does not remember it."""

Seen = tuple[str, events.VisitSummarised]
"""What the pages call the visitor, and what she did."""
Link = tuple[str, str]
"""The subject of a handle, and the visitor in her own."""


def newest(seen: Sequence[Seen]) -> list[Seen]:
    """Return as many of each visitor as the stream would keep, in their order."""
    counted: Counter[str] = Counter()
    kept: list[Seen] = []
    for visitor, event in reversed(seen):
        counted[visitor] += 1
        if counted[visitor] <= streams.VISITS_OF_A_VISITOR:
            kept.append((visitor, event))
    return kept[::-1]


class VisitStore:
    """Stores what visitors did. `keys`: see `visits.keys_of`."""

    def __init__(self, bus: Bus, codec: Codec, keys: Mapping[str, bytes]) -> None:
        self._bus = bus
        self._codec = codec
        self._keys = keys
        self._links: OrderedDict[Link, datetime] = OrderedDict()

    async def put(self, tenant: str, seen: Sequence[Seen]) -> None:
        """Store the newest of each visitor, in this order; all stand there when it returns.

        Raises: BusUnavailable, or JetStreamRefused for what is never taken; some may be stored then.
        """
        kept = newest(seen)
        for start in range(0, len(kept), TOGETHER):
            await self._put(tenant, kept[start : start + TOGETHER])

    async def _put(self, tenant: str, seen: Sequence[Seen]) -> None:
        key = self._keys[tenant]
        tokens = [visits.visitor_token(key, visitor) for visitor, _ in seen]
        bodies = await self._codec.seal([event for _, event in seen])
        messages: list[tuple[str, bytes, str]] = [
            (subjects.visit(tenant, token), body, event.id)
            for token, body, (_, event) in zip(tokens, bodies, seen, strict=True)
        ]
        links: dict[Link, tuple[events.Proof, events.VisitSummarised]] = {}
        for token, (_, event) in zip(tokens, seen, strict=True):
            for handle in _of_persons(event):
                owner = visits.link_token(key, handle, by_call=_is_of_call(event))
                subject = subjects.visitor_of(tenant, owner)
                links[subject, token] = proof.of(handle), event
        new = {link: said for link, said in links.items() if self._is_news(link, said[1].recorded)}
        messages += [_linking(link, *said) for link, said in new.items()]
        await self._bus.store_many(messages)
        for link, (_, event) in new.items():
            self._remember(link, event.recorded)

    def _is_news(self, link: Link, at: datetime) -> bool:
        known = self._links.get(link)
        return known is None or at - known >= LINK_AGAIN

    def _remember(self, link: Link, at: datetime) -> None:
        self._links[link] = at
        self._links.move_to_end(link)
        while len(self._links) > LINKS_REMEMBERED:
            self._links.popitem(last=False)


def _of_persons(event: events.VisitSummarised) -> list[events.Handle]:
    """Return the handles that an event says are the visitor's own."""
    given = event.personal.handles if event.personal else []
    return [each for each in given if each.kind not in ("visitor", "reference")]


def _is_of_call(event: events.VisitSummarised) -> bool:
    return event.open.medium == "call"


def _linking(
    link: Link, degree: events.Proof, event: events.VisitSummarised
) -> tuple[str, bytes, str]:
    subject, token = link
    made = visits.VisitorLink(visitor=token, proof=degree, by_call=_is_of_call(event))
    body = msgspec.json.encode(made)
    return subject, body, ids.scoped_id("visitor", subject, token, event.id)
