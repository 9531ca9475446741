"""What became of deliveries: each parsed again, its events looked up in history (I12)."""

from collections.abc import AsyncGenerator, Mapping, Sequence

from services.ingest.domain import outcome
from services.ingest.domain.delivery import RawDelivery
from services.ingest.domain.fates import Fate, fate_of
from services.ingest.handlers import parsing, raw_store
from services.ingest.handlers.accounts import Door
from shared import events, queries, query_client, streams, subjects
from shared.bus import Bus
from shared.bus.deliveries import StoredMessage

PAGE_DELIVERIES = 64
"""Deliveries held in memory at once, each at most 256 KiB."""
KNOWN_IDS_MAX = 200
KNOWN_TIMEOUT_SECONDS = 10.0


class FateReader:
    """Reads what became of deliveries. `min_seq`: what history must have reached; `position`: what it answered from."""

    def __init__(self, bus: Bus, min_seq: int) -> None:
        self._bus = bus
        self._min_seq = min_seq
        self.position = min_seq

    async def pages(
        self, door: Door, first: int, last: int
    ) -> AsyncGenerator[list[RawDelivery], None]:
        """Give the account's deliveries between two positions of RAW, in order, a page at a time.

        Any replica gives a page; one that lags behind is corrected by asking the leader at its end.
        """
        subject = subjects.raw(door.tenant, door.channel.NAME, door.account)
        while first <= last:
            found = await self._bus.direct_get(
                streams.RAW, sequence=first, subject=subject, batch=PAGE_DELIVERIES
            )
            messages: Sequence[StoredMessage] = found.messages
            if not messages:
                message = await self._bus.leader_get(
                    streams.RAW, sequence=first, next_by_subject=subject
                )
                messages = [message] if message is not None else []
            page = [raw_of(door, each) for each in messages if each.sequence <= last]
            if not page:
                return
            yield page
            first = page[-1].sequence + 1

    async def fates(self, door: Door, page: Sequence[RawDelivery]) -> list[tuple[int, Fate]]:
        """Return the position and the fate of each delivery. Raises: ViewUnavailable, BusUnavailable."""
        readings = await parsing.read_all(page)
        first_seen, set_aside = await self._known(
            door.tenant, [event.id for reading in readings for event in reading.events]
        )
        return [
            (
                reading.raw.sequence,
                fate_of(
                    reading.raw.sequence,
                    [event.id for event in reading.events],
                    first_seen,
                    set_aside,
                    quarantined=isinstance(reading.outcome, outcome.Quarantined),
                ),
            )
            for reading in readings
        ]

    async def _known(
        self, tenant: str, ids: Sequence[str]
    ) -> tuple[Mapping[str, int], Mapping[str, queries.SetAsideState]]:
        """Return, by event id, the position in RAW that each event in the ledger came from, and how it is set aside.

        Raises: ViewUnavailable.
        """
        first_seen: dict[str, int] = {}
        set_aside: dict[str, queries.SetAsideState] = {}
        for start in range(0, len(ids), KNOWN_IDS_MAX):
            question = queries.AskKnown(
                ids=list(ids[start : start + KNOWN_IDS_MAX]), min_seq=self._min_seq
            )
            answer = await query_client.ask(
                self._bus, tenant, question, timeout_seconds=KNOWN_TIMEOUT_SECONDS
            )
            self.position = max(self.position, answer.position)
            set_aside |= {name: each.state for name, each in answer.set_aside.items()}
            came_from = {name: each.raw for name, each in answer.set_aside.items()}
            came_from |= {name: each.raw for name, each in answer.known.items()}
            for event_id, raw in came_from.items():
                first_seen[event_id] = events.RawRef.parse(raw).sequence if raw else 0
        return first_seen, set_aside


def raw_of(door: Door, message: StoredMessage) -> RawDelivery:
    """Return a message of RAW as a delivery of the account."""
    return raw_store.raw_delivery(
        door.tenant,
        door.name,
        door.rules,
        sequence=message.sequence,
        body=message.body,
        fields=message.headers,
        stored=message.stored,
    )
