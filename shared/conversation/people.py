"""Who is on the other end: whom a contact names, and who else it may be."""

import msgspec
from msgspec.structs import replace

from shared import events, proof
from shared.events.packet import Possible, Writer


class People(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """`possible`: customers of whom something only hints that they are meant, in the order of the hints."""

    possible: dict[events.CustomerId, Possible] = {}


def evolve(people: People, event: events.AnyEvent) -> People:
    """Return the people after one event."""
    match event:
        case events.CustomerSuggested():
            personal = event.personal
            possible = Possible(
                customer=event.open.customer,
                name=personal.name if personal else None,
                reason=event.open.reason,
                kind=event.open.kind,
                value=personal.value if personal else None,
            )
            return replace(people, possible={**people.possible, possible.customer: possible})
        case events.ConversationLinked():
            return People()
        case _:
            return people


def handles_of(event: events.InboundEvent) -> tuple[events.Handle, ...]:
    """Return the handles of whoever wrote or called, the best proved first; none when withheld."""
    given = event.personal.handles if event.personal else []
    named = (each for each in given if each.kind != "reference")
    return tuple(sorted(named, key=lambda each: -proof.RANK[proof.of(each)]))


def writer(name: str | None, handles: tuple[events.Handle, ...]) -> Writer | None:
    """Return who wrote or called under a name and handles, the best proved first; `None` when both are missing."""
    if not handles:
        return Writer(name=name, kind=None, value=None, proof=None) if name else None
    best = handles[0]
    return Writer(name=name, kind=best.kind, value=best.value, proof=proof.of(best))
