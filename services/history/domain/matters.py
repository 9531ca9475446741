"""Conversations that went on in one another are one matter: what became of its contacts and owed calls. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from services.history.domain.handling import HandledContact, HandledConversation, OwedCall

HOPS_MAX = 100
"""So often a matter goes on elsewhere before it is followed no further."""


@dataclass(frozen=True, slots=True)
class Matter:
    """One matter: the conversation in which it goes on, and all that went on in it, by name."""

    name: str
    parts: Mapping[str, HandledConversation]

    @property
    def customer(self) -> str | None:
        return self.parts[self.name].customer

    def ends(self, since: datetime) -> list[datetime]:
        """Return when it was resolved, from an instant on."""
        return [at for each in self.parts.values() for at in each.ends if at >= since]

    def began(self) -> int:
        """Return how many contacts began in it."""
        return sum(
            contact.began is not None
            for each in self.parts.values()
            for contact in each.contacts.values()
        )

    def total(self, name: str) -> int:
        """Return the sum of a count over its conversations."""
        return sum(getattr(each, name) for each in self.parts.values())

    def contacts(self) -> Iterator[HandledContact]:
        """Yield its contacts, each with what became of it where the matter went on."""
        for name, part in self.parts.items():
            for contact_id, contact in part.contacts.items():
                if contact.began is not None:
                    yield self._whole(name, contact_id, contact)

    def _whole(self, name: str, contact_id: str, contact: HandledContact) -> HandledContact:
        for here in _way(self.parts, name)[1:]:
            later = self.parts[here].contacts.get(contact_id)
            if later is not None and later.began is None:
                contact = _gone_on(contact, later)
        return contact

    def call_for(self, contact: HandledContact) -> OwedCall | None:
        """Return the call that is owed for a lost contact, where the matter goes on; `None` when none is."""
        callback_id, call = contact.callback_id, None
        for here in _way(self.parts, contact.lost_in or ""):
            found = self.parts[here].calls.get(callback_id or "")
            if found is None:
                break
            call, callback_id = found, found.goes_on_as
        return call


def matters(handled: Mapping[str, HandledConversation]) -> list[Matter]:
    """Return the matters of conversations."""
    by_name: dict[str, dict[str, HandledConversation]] = defaultdict(dict)
    for name, each in handled.items():
        by_name[_way(handled, name)[-1]][name] = each
    return [Matter(name, parts) for name, parts in by_name.items()]


def _way(handled: Mapping[str, HandledConversation], name: str) -> list[str]:
    """Return where a conversation went on, itself first."""
    way = [name] if name in handled else []
    while way and len(way) < HOPS_MAX:
        there = handled[way[-1]].goes_on_in
        if there is None or there not in handled or there in way:
            break
        way.append(there)
    return way


def _gone_on(contact: HandledContact, later: HandledContact) -> HandledContact:
    """Return a contact with what became of it in the conversation in which its own went on."""
    lost = contact if later.lost is None else later
    return replace(
        contact,
        queue=contact.queue or later.queue,
        agent=later.agent or contact.agent,
        queued=contact.queued or later.queued,
        asked=contact.asked or later.asked,
        taken=contact.taken or later.taken,
        wrapped=later.wrapped or contact.wrapped,
        lost=lost.lost,
        lost_in=lost.lost_in,
        missed=lost.missed,
        requested=lost.requested,
        unreachable=lost.unreachable,
        callback_id=lost.callback_id,
        asked_how=contact.asked_how or later.asked_how,
        score=contact.score if later.score is None else later.score,
    )
