"""Writes events into a ledger by hand, as router and notify would, and tells what was written."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.codec import PlainCodec, decode
from shared.events import AnyEvent, Data, EventId, Nothing, event_types
from shared.ids import scoped_id
from shared.ledger import Appended, Ledger, Recorded, Write
from tests.support.memory_ledger import MemoryLedger

TENANT = "demo"
BEGIN = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)


class TickingClock:
    """A clock that a test moves: it begins at BEGIN."""

    def __init__(self) -> None:
        self._now = BEGIN

    def now(self) -> datetime:
        return self._now

    def set(self, now: datetime) -> None:
        self._now = now


class Future(PlainCodec):
    """A codec that does not know some types yet, as an older version would not."""

    def __init__(self, *unknown: str) -> None:
        self.unknown = set(unknown)

    async def unseal(self, bodies: Sequence[bytes]) -> list[AnyEvent]:
        renamed = []
        for body in bodies:
            for name in self.unknown:
                body = body.replace(f'"{name}"'.encode(), f'"{name}_next"'.encode())  # noqa: PLW2901
            renamed.append(body)
        return [decode(body) for body in renamed]


class HandwrittenLedger:
    """A ledger and the events that a test writes into it, a minute of the story apart."""

    def __init__(self, ledger: Ledger, tenant: str = TENANT) -> None:
        self.ledger = ledger
        self.tenant = tenant
        self.now = BEGIN
        self._last: dict[str, int] = {}
        self._number = 0

    def event(
        self,
        aggregate: str,
        name: str,
        open_part: Mapping[str, Any],
        personal: Any = None,
        *,
        conversation: str | None = None,
        customer: str | None = None,
        occurred: datetime | None = None,
        raw: str | None = None,
        id_: str | None = None,
    ) -> AnyEvent:
        """Return an event of type `name`; its parts are given as plain fields."""
        kind: Any = event_types()[name]
        data = part_types(name)
        self._number += 1
        made: AnyEvent = kind(
            specversion="1.0",
            id=EventId(
                id_ or scoped_id("handwritten", self.tenant, aggregate, name, str(self._number))
            ),
            source="tellonce/test",
            occurred=occurred or self.now,
            recorded=self.now,
            aggregate=aggregate,
            dataschema="urn:tellonce:event:1",
            datacontenttype="application/json",
            tenant=self.tenant,
            actor="agent:piotr",
            conversation=conversation,
            customer=customer,
            raw=raw,
            data=Data(
                open=data[0](**open_part),
                personal=Nothing() if personal is None else data[1](**personal),
            ),
        )
        return made

    async def write(self, aggregate: str, *events: AnyEvent) -> Appended:
        """Append events to one aggregate and let a minute pass."""
        write = Write(aggregate, self._last.get(aggregate, 0), events)
        appended = await self.ledger.append(self.tenant, [write])
        self._last.update(appended.last)
        self.now += timedelta(minutes=1)
        return appended

    async def all(self) -> list[Recorded]:
        """Return everything that the ledger holds."""
        return await recorded(self.ledger, await self.ledger.position())


async def recorded(ledger: Ledger, position: int) -> list[Recorded]:
    """Return the events of a ledger up to `position`."""
    found = [await ledger.get(sequence) for sequence in range(1, position + 1)]
    return [each for each in found if each is not None]


def part_types(name: str) -> tuple[type[Any], type[Any]]:
    """Return the types of the open and the personal part of an event type."""
    kind = event_types()[name]
    (base,) = kind.__orig_bases__  # type: ignore[union-attr]
    opened, personal = base.__args__
    return opened, personal


def handwritten_in_memory(clock: TickingClock | None = None) -> HandwrittenLedger:
    """Return events written by hand into a ledger in memory."""
    return HandwrittenLedger(MemoryLedger(clock=clock or TickingClock()))
