"""What became of deliveries: each parsed again, its events looked up in history (I12)."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass

from services.ingest.domain import outcome
from services.ingest.domain.delivery import RawDelivery, portions
from services.ingest.domain.fates import Fate, fate_of
from services.ingest.handlers import parsing, raw_store
from services.ingest.handlers.accounts import Door
from services.ingest.handlers.body_store import BodyStore
from shared import events, queries, query_client, streams, subjects
from shared.bus import Bus
from shared.bus.deliveries import StoredMessage

PAGE_DELIVERIES = 64
"""Deliveries held in memory at once, each at most 256 KiB; larger bodies stand elsewhere, and one is held."""
PAGE_BYTES = 67_108_864
"""Of bodies elsewhere a page has so much at most: some seconds of parsing."""
REMEMBERED_MAX = 1_024
KNOWN_IDS_MAX = 200
KNOWN_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Made:
    """What the delivery at a position makes: the ids of its events."""

    sequence: int
    ids: Sequence[str]
    quarantined: bool


class FateReader:
    """Reads what became of deliveries. `min_seq`: what history must have reached; `position`: what it answered from.

    `remembered`: what large bodies make, by position, filled here: they need not be parsed again to be looked up again.
    """

    def __init__(
        self, bus: Bus, bodies: BodyStore, min_seq: int, remembered: dict[int, Made] | None = None
    ) -> None:
        self._bus = bus
        self._bodies = bodies
        self._remembered = remembered
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
            for portion in portions(page, PAGE_BYTES):
                yield portion
            first = page[-1].sequence + 1

    async def fates(self, door: Door, page: Sequence[RawDelivery]) -> list[tuple[int, Fate]]:
        """Return the position and the fate of each delivery.

        Raises: ViewUnavailable, BusUnavailable, JetStreamRefused.
        """
        made = await self._made(page)
        first_seen, set_aside = await self._known(
            door.tenant, [name for each in made for name in each.ids]
        )
        return [
            (
                each.sequence,
                fate_of(
                    each.sequence, each.ids, first_seen, set_aside, quarantined=each.quarantined
                ),
            )
            for each in made
        ]

    async def _made(self, page: Sequence[RawDelivery]) -> list[Made]:
        remembered = {} if self._remembered is None else self._remembered
        unread = [raw for raw in page if raw.sequence not in remembered]
        known = [remembered[raw.sequence] for raw in page if raw.sequence in remembered]
        readings = await parsing.read_all(unread, self._bodies)
        for reading, made in zip(
            readings, fresh := [_made_of(each) for each in readings], strict=True
        ):
            if reading.raw.elsewhere is not None and not reading.lost:
                remembered[made.sequence] = made
        while len(remembered) > REMEMBERED_MAX:
            del remembered[next(iter(remembered))]
        return known + fresh

    async def held(self, tenant: str, ids: Sequence[str]) -> Mapping[str, int]:
        """Return the position in RAW that each of these events came from that the ledger holds, set aside or not.

        Raises: ViewUnavailable.
        """
        return (await self._known(tenant, ids))[0]

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


def _made_of(reading: parsing.Reading) -> Made:
    quarantined = isinstance(reading.outcome, outcome.Quarantined)
    return Made(reading.raw.sequence, [event.id for event in reading.events], quarantined)


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
