"""The conversations whose events pass, folded as they pass: how one stood before an event is seldom read again."""

from collections import OrderedDict

from services.notify.domain import occasions
from shared import aggregates, conversation, events, subjects
from shared.arrivals import ArrivedMessage
from shared.ledger import plan

KEPT = 1_000
"""One that is not kept is read once more when somebody is told of it; whole conversations are large."""


class Passed:
    """A conversation up to the last event that passed. `before`: how it stood before that event, `last`."""

    def __init__(
        self, sequence: int, last: events.AnyEvent, before: occasions.EarlierState
    ) -> None:
        self.sequence = sequence
        self.last = last
        self.conversation = before.conversation
        self.ids = set(before.events)
        self.begins = 0 if self.ids else sequence

    @property
    def at_once(self) -> bool:
        """Whether all of it was written at once, so that nobody can have been told of it before."""
        return self.sequence - self.begins == len(self.ids)

    def go_on(self, sequence: int, event: events.AnyEvent) -> None:
        """Take in the last event; the one after it is the last now."""
        self.conversation = conversation.evolve(self.conversation, self.sequence, self.last)
        self.ids.add(self.last.id)
        self.sequence, self.last = sequence, event


class Passing:
    """Keeps at most `kept` conversations: the one that was longest without news goes first.

    Another replica may have taken events in between, so an event is folded on only where the ledger itself says which
    one stood before it: its writer named that, and the server checked it.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._known: OrderedDict[tuple[str, str], Passed] = OrderedDict()

    def see(self, arrived: ArrivedMessage, event: events.AnyEvent) -> None:
        """Take in an event of the ledger as it arrives, if it stands where it says; a foreign entry may not."""
        if event.aggregate != subjects.aggregate_in(arrived.subject):
            return
        if aggregates.split(event.aggregate)[0] != aggregates.CONVERSATION.prefix:
            return
        key = (event.tenant, event.aggregate)
        known, before = (
            self._known.get(key),
            plan.sequence_before(arrived.sequence, arrived.headers),
        )
        if known is not None and known.sequence == before:
            known.go_on(arrived.sequence, event)
            self._known.move_to_end(key)
        elif before == 0:
            self._keep(key, Passed(arrived.sequence, event, occasions.NOTHING_BEFORE))
        elif known is not None and known.sequence < arrived.sequence:
            del self._known[key]

    def before(self, event: events.AnyEvent) -> occasions.EarlierState | None:
        """Return how the conversation of an event stood before it; `None` when that must be read."""
        known = self._known.get((event.tenant, event.aggregate))
        if known is None or known.last.id != event.id:
            return None
        return occasions.EarlierState(known.conversation, frozenset(known.ids))

    def has_just_begun(self, tenant: str, name: str) -> bool:
        """Tell whether all events of a conversation were written at once, as far as they have passed."""
        known = self._known.get((tenant, aggregates.CONVERSATION.of(name)))
        return known is not None and known.at_once

    def take(self, sequence: int, event: events.AnyEvent, before: occasions.EarlierState) -> None:
        """Take in what was read."""
        self._keep((event.tenant, event.aggregate), Passed(sequence, event, before))

    def _keep(self, key: tuple[str, str], passed: Passed) -> None:
        self._known[key] = passed
        self._known.move_to_end(key)
        if len(self._known) > self._kept:
            self._known.popitem(last=False)
