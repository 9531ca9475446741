"""Reads VISITS: the router, for whoever writes or calls, and ingest, for the balance. Ingest alone writes there."""

from collections.abc import Mapping, Sequence

import msgspec
import structlog

from shared import codec, events, streams, subjects, visits
from shared.bus import Bus, gets
from shared.codec import Codec

log = structlog.get_logger("shared.visits")
_link = msgspec.json.Decoder(visits.VisitorLink)


class VisitReader:
    """Finds visitors and what they did. `keys`: see `visits.keys_of`."""

    def __init__(self, bus: Bus, codec: Codec, keys: Mapping[str, bytes]) -> None:
        self._bus = bus
        self._codec = codec
        self._keys = keys

    async def visitors(
        self, tenant: str, wanted: Sequence[events.Handle]
    ) -> list[tuple[events.Handle, visits.VisitorLink]]:
        """Return who was last said to be the owner of each handle, by the pages and by a call; by one request, of any
        replica.

        Raises: BusUnavailable.
        """
        key = self._keys[tenant]
        found = [
            (
                each,
                visits.VisitorLink(visitor=visits.visitor_token(key, each.value), proof="proved"),
            )
            for each in wanted
            if each.kind == "visitor"
        ]
        by_subject = {
            subjects.visitor_of(tenant, visits.link_token(key, each, by_call=by_call)): each
            for each in wanted
            if each.kind != "visitor"
            for by_call in (False, True)
        }
        messages = await gets.last_of_each(self._bus, streams.VISITS, list(by_subject))
        for message in messages:
            try:
                found.append((by_subject[message.subject], _link.decode(message.body)))
            except codec.UNREADABLE:
                log.warning("visitor_unreadable", sequence=message.sequence)
        return found

    async def of_visitor(self, tenant: str, token: str) -> list[events.VisitSummarised]:
        """Return what is kept of a visitor, in the order in which it was stored; by one request, of any replica.

        Raises: BusUnavailable, NotAnEvent.
        """
        answer = await self._bus.direct_get(
            streams.VISITS,
            sequence=1,
            subject=subjects.visit(tenant, token),
            batch=streams.VISITS_OF_A_VISITOR,
        )
        found = await self._codec.unseal([each.body for each in answer.messages])
        return [each for each in found if isinstance(each, events.VisitSummarised)]

    async def stored(self, tenant: str, visitor: str) -> dict[str, int]:
        """Return of which delivery in RAW each event of a visitor first came, by its id. Raises: as `of_visitor`."""
        first: dict[str, int] = {}
        for event in await self.of_visitor(
            tenant, visits.visitor_token(self._keys[tenant], visitor)
        ):
            if event.raw is not None:
                sequence = events.RawRef.parse(event.raw).sequence
                first[event.id] = min(sequence, first.get(event.id, sequence))
        return first
