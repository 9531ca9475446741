"""What became of each contact that was lost, by the events of the ledger alone. Pure.

It reads the events themselves and uses none of the router's folds for the balance: the router is checked by it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
from msgspec.structs import replace

from shared import events
from shared.conversation import NEW_CONVERSATION, Conversation
from shared.conversation.fold import evolve_parts
from shared.ledger import Recorded
from shared.queries import Fate, MissedLine

ANSWERED = "answered"
"""Why a callback is closed whose customer wrote since, and was answered."""
Key = tuple[str, str]
"""A conversation, and the id of a contact or a callback in it."""
Lost = events.ContactMissed | events.ContactAbandoned
OfCallback = events.CallbackAttempted | events.CallbackReached | events.CallbackClosed


class _Owed(msgspec.Struct, frozen=True, kw_only=True):
    """A call that is owed. `promised`: until when it was owed at first."""

    queue: str
    due: datetime
    promised: datetime
    attempts: int = 0
    fate: Fate = "open"
    settled: datetime | None = None
    why: str | None = None


@dataclass
class Account:
    """The account of lost contacts: takes the events of conversations in ledger order."""

    lost: dict[Key, Lost] = field(default_factory=dict)
    owed: dict[Key, _Owed] = field(default_factory=dict)
    goes_on: dict[str, Key] = field(default_factory=dict)
    resolved: set[str] = field(default_factory=set)
    owners: dict[str, str | None] = field(default_factory=dict)

    def take(self, event: events.AnyEvent) -> None:
        """Take the next event; most change nothing."""
        here = event.aggregate.removeprefix("conv-")
        match event:
            case events.ContactMissed() | events.ContactAbandoned():
                self.lost[here, event.open.contact_id] = event
            case events.CallbackRequested(open=asked):
                self.owed[here, asked.callback_id] = _Owed(
                    queue=asked.queue, due=asked.due, promised=asked.due, attempts=asked.attempts
                )
            case events.CallbackAttempted() | events.CallbackReached() | events.CallbackClosed():
                self._settle(here, event)
            case events.ConversationAbsorbed(open=absorbed):
                self.goes_on[here] = (absorbed.into, self._instead(here, event))
            case events.ConversationResolved():
                self.resolved.add(here)
            case _:
                pass
        self._note_owner(here, event)

    def _settle(self, here: str, event: OfCallback) -> None:
        known = self.owed.get((here, event.open.callback_id))
        if known is None:
            return
        match event:
            case events.CallbackAttempted(open=tried):
                known = replace(known, attempts=tried.attempt, due=tried.due or known.due)
            case events.CallbackReached():
                known = replace(known, fate="reached", settled=event.recorded)
            case events.CallbackClosed(open=closed):
                fate: Fate = "answered" if closed.reason == ANSWERED else "closed"
                known = replace(known, fate=fate, settled=event.recorded, why=closed.reason)
        self.owed[here, event.open.callback_id] = known

    def _instead(self, here: str, event: events.ConversationAbsorbed) -> str:
        """Return which call is owed where the matter goes on: an older event does not say it."""
        if event.open.callback_id is not None:
            return event.open.callback_id
        there = (
            key
            for key, each in self.owed.items()
            if key[0] == event.open.into and each.fate == "open"
        )
        mine = (key for key, each in self.owed.items() if key[0] == here and each.fate == "open")
        return next((key[1] for key in (*there, *mine)), "")

    def _note_owner(self, here: str, event: events.AnyEvent) -> None:
        match event:
            case (
                events.ContactAccepted()
                | events.TransferAccepted()
                | events.CallbackReached()
                | events.ConversationAssigned()
            ):
                self.owners[here] = event.open.agent
            case events.ConversationMerged() if event.open.owner is not None:
                self.owners[here] = event.open.owner
            case events.ContactQueued() | events.ConversationReturned():
                self.owners[here] = None
            case _:
                pass

    # -- what became of it ---------------------------------------------------------------------------------

    def contacts(self, since: datetime, until: datetime) -> list[MissedLine]:
        """Return what became of every contact that was lost in a time, in the order in which they were."""
        return [
            self._line(key, event)
            for key, event in self.lost.items()
            if since <= event.recorded < until
        ]

    def _line(self, key: Key, event: Lost) -> MissedLine:
        opened = event.open
        line = MissedLine(
            conversation=key[0],
            contact_id=key[1],
            lost=event.recorded,
            reason=opened.reason or event.type.rpartition(".")[2],
            fate="unaccounted",
            queue=opened.queue,
        )
        here, callback_id = self._goes_on((key[0], opened.callback_id))
        owed = self.owed.get((here, callback_id))
        if owed is None:
            why = None if opened.unreachable else "no call is owed for it"
            return replace(
                line, fate="unreachable" if opened.unreachable else "unaccounted", why=why
            )
        line = replace(
            line,
            fate=owed.fate,
            callback_id=callback_id,
            queue=owed.queue,
            due=owed.due,
            attempts=owed.attempts,
            owner=self.owners.get(here),
            settled=owed.settled,
            in_time=owed.settled is not None and owed.settled <= owed.promised,
            why=owed.why,
        )
        if owed.fate == "open" and here in self.resolved:
            return replace(
                line, fate="unaccounted", why="the matter is closed and the call is owed"
            )
        return line

    def _goes_on(self, key: Key) -> Key:
        """Return where a call is owed by now: a matter that goes on in another one takes along what is open."""
        seen = {key}
        while key[0] in self.goes_on and (key not in self.owed or self.owed[key].fate == "open"):
            key = self.goes_on[key[0]]
            if key in seen:
                break
            seen.add(key)
        return key


def account_of(recorded: Iterable[events.AnyEvent]) -> Account:
    """Return the account of events in ledger order."""
    account = Account()
    for event in recorded:
        account.take(event)
    return account


def unnoted(recorded: Iterable[Recorded]) -> list[MissedLine]:
    """Return the calls that are over while nobody had them, and of which no loss was noted: there must be none."""
    ended: dict[Key, datetime] = {}
    matters: dict[str, Conversation] = {}
    for each in recorded:
        here = each.aggregate.removeprefix("conv-")
        before = matters.get(here, NEW_CONVERSATION)
        matters[here] = evolve_parts(before, each.sequence, each.event)
        if isinstance(each.event, events.CallEnded | events.CallLost):
            ended[here, each.event.open.contact_id] = each.event.recorded
    lines = []
    for (here, contact_id), at in ended.items():
        contact = matters[here].contacts.by_id.get(events.ContactId(contact_id))
        if contact is not None and contact.status == "waiting":
            why = "the call is over, nobody had it, and that was not noted"
            line = MissedLine(
                conversation=here,
                contact_id=contact_id,
                lost=at,
                reason="not_noted",
                fate="unaccounted",
                queue=contact.queue or "",
                why=why,
            )
            lines.append(line)
    return lines
