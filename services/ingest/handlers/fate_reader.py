"""What became of deliveries: each parsed again, its events looked up in history (I12)."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass

from services.ingest.domain import outcome
from services.ingest.domain.delivery import RawDelivery, portions
from services.ingest.domain.fates import Fate, fate_of
from services.ingest.handlers import parsing, raw_store
from services.ingest.handlers.accounts import Door
from services.ingest.handlers.body_store import BodyStore
from shared import ensuring, errors, events, queries, query_client, streams, subjects, visits
from shared.bus import Bus, gets
from shared.bus.deliveries import StoredMessage
from shared.visit_reader import VisitReader

PAGE_DELIVERIES = 64
"""Deliveries held in memory at once, each at most 256 KiB; larger bodies stand elsewhere, and one is held."""
PAGE_BYTES = 67_108_864
"""Of bodies elsewhere a page has so much at most: some seconds of parsing."""
REMEMBERED_MAX = 1_024
KNOWN_IDS_MAX = 200
KNOWN_TIMEOUT_SECONDS = 10.0
VISITORS_ASKED = 16
"""Of so many visitors of a delivery VISITS is asked whether they came with an earlier one."""


@dataclass(frozen=True, slots=True)
class Made:
    """What the delivery at a position makes: the ids of its events.

    `visits`: by what the pages call the visitor, of those in VISITS; of VISITORS_ASKED visitors at most.
    """

    sequence: int
    ids: Sequence[str]
    quarantined: bool
    visits: Mapping[str, Sequence[str]]


class FateReader:
    """Reads what became of deliveries. `min_seq`: what history must have reached; `position`: what it answered from.

    `remembered`: what large bodies make, by position, filled here: they need not be parsed again to be looked up again.
    """

    def __init__(
        self,
        bus: Bus,
        bodies: BodyStore,
        visited: VisitReader,
        min_seq: int,
        remembered: dict[int, Made] | None = None,
    ) -> None:
        self._bus = bus
        self._bodies = bodies
        self._visited = visited
        self._remembered = remembered
        self._min_seq = min_seq
        self.position = min_seq

    async def pages(
        self, door: Door, first: int, last: int
    ) -> AsyncGenerator[list[RawDelivery], None]:
        """Give the account's deliveries between two positions of RAW, in order, a page at a time."""
        subject = subjects.raw(door.tenant, door.channel.NAME, door.account)
        stored = gets.between(self._bus, streams.RAW, subject, first, last, batch=PAGE_DELIVERIES)
        async for page in stored:
            for portion in portions([raw_of(door, each) for each in page], PAGE_BYTES):
                yield portion

    async def fates(self, door: Door, page: Sequence[RawDelivery]) -> list[tuple[int, Fate]]:
        """Return the position and the fate of each delivery.

        Raises: ViewUnavailable, BusUnavailable, JetStreamRefused.
        """
        made = await self._made(page)
        first_seen, set_aside = await self._known(
            door.tenant, [name for each in made for name in each.ids]
        )
        normalised = await self._normalised(door) if any(each.visits for each in made) else 0
        found: list[tuple[int, Fate]] = []
        for each in made:
            came = await self._first_visits(door.tenant, each, normalised)
            ids = [*each.ids, *(name for names in each.visits.values() for name in names)]
            seen, bad = {**first_seen, **came}, each.quarantined
            found.append(
                (each.sequence, fate_of(each.sequence, ids, seen, set_aside, quarantined=bad))
            )
        return found

    async def _first_visits(self, tenant: str, made: Made, normalised: int) -> dict[str, int]:
        """Return of which delivery the visits of this one first came; none of those that are not normalised yet.

        VISITS keeps a visitor's newest only: who is not there any more came with this delivery, as far as anybody can
        know. The first visitor who did shows that it is no repetition, and the others are not asked about.
        """
        first: dict[str, int] = {}
        if made.sequence > normalised:
            return first
        for visitor, ids in made.visits.items():
            stored = await self._visited.stored(tenant, visitor)
            known = [stored[each] for each in ids if each in stored]
            came = made.sequence if made.sequence in known else min(known, default=made.sequence)
            first |= dict.fromkeys(ids, came)
            if came == made.sequence:
                break
        others = (each for ids in made.visits.values() for each in ids)
        return dict.fromkeys(others, made.sequence) | first

    async def _normalised(self, door: Door) -> int:
        """Return up to which position of RAW an account is normalised; 0 where nobody does that.

        Raises: BusUnavailable, JetStreamRefused.
        """
        name = streams.ingest_normalise(door.tenant, door.channel.NAME, door.account)
        try:
            info = await self._bus.api(f"CONSUMER.INFO.{streams.RAW}.{name}")
        except errors.JetStreamRefused as error:
            if error.details.get("err_code") == ensuring.CONSUMER_NOT_FOUND:
                return 0
            raise
        return int(info["ack_floor"]["stream_seq"])

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
    lasting = [event.id for event in reading.events if not visits.passes(event)]
    seen: dict[str, list[str]] = {}
    for visitor, event in reading.reports:
        if visits.passes(event) and (visitor in seen or len(seen) < VISITORS_ASKED):
            seen.setdefault(visitor, []).append(event.id)
    return Made(reading.raw.sequence, lasting, quarantined, seen)


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
