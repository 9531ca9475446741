"""Plans an append as messages: their content, their order, and the server's checks. Pure.

Rules of nats-server 2.15, measured (docs/adr/0010): a message carries one expectation.
The first message of each subject carries that subject's own; a guard (an expectation that names an exact subject
which the batch does not write) rides on any later message of a subject.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared import errors, events, subjects
from shared.ledger import BATCH_EVENTS_MAX, Appended, Guard, Write

EVENT_MAX_BYTES = 256 * 1024
"""The stream's `max_msg_size` counts the headers too."""
HEADERS_MAX_BYTES = 1024
BATCH_MAX_BYTES = 8 * 1024 * 1024

EXPECTED = "Nats-Expected-Last-Subject-Sequence"
EXPECTED_SUBJECT = "Nats-Expected-Last-Subject-Sequence-Subject"
MESSAGE_ID = "Nats-Msg-Id"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One event on its way. `headers` hold its id and at most one expectation."""

    aggregate: str
    subject: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole append. `messages` stand in the order of the writes; `guards` exclude written aggregates."""

    tenant: str
    expected: Mapping[str, int]
    guards: Sequence[Guard]
    messages: Sequence[Outgoing]

    def of(self, aggregate: str) -> list[Outgoing]:
        """Return the messages of one aggregate, in order."""
        return [message for message in self.messages if message.aggregate == aggregate]

    def appended(self, sequences: Sequence[int], *, duplicate: bool) -> Appended:
        """Return the outcome when the messages stand at `sequences`, in their order."""
        last = {m.aggregate: sequence for m, sequence in zip(self.messages, sequences, strict=True)}
        return Appended(sequences=list(sequences), duplicate=duplicate, last=last)


def sequence_before(sequence: int, headers: Mapping[str, str]) -> int:
    """Return where the event of its aggregate stands that comes before the one at `sequence`; 0 before the first.

    The first event of a write says it, and the server has checked it; any later one follows its neighbour.
    """
    said = "" if EXPECTED_SUBJECT in headers else headers.get(EXPECTED, "")
    return int(said) if said.isdecimal() else sequence - 1


def events_of(writes: Sequence[Write]) -> list[events.AnyEvent]:
    """Return all events in the order of the writes."""
    return [event for write in writes for event in write.events]


def plan(
    tenant: str, writes: Sequence[Write], guards: Sequence[Guard], bodies: Sequence[bytes]
) -> Plan:
    """Return the messages of an append; `bodies` are the sealed events in the order of the writes.

    Raises:
        ValueError: no writes, a write without events, or two writes to one aggregate.
        LedgerBatchTooLarge: too many events or bytes.
        LedgerGuardsTooMany: more guards than messages that can carry one.
        LedgerConflict: a guard on a written aggregate expects something else than the write.
    """
    expected = {write.aggregate: write.expected for write in writes}
    if not writes or len(expected) != len(writes) or not all(write.events for write in writes):
        raise ValueError("an append needs writes, each with events, one per aggregate")
    _check_size(bodies)
    needed = _needed(expected, guards)
    free = len(bodies) - len(writes)
    if len(needed) > free:
        raise errors.LedgerGuardsTooMany(guards=len(needed), free=free)
    return Plan(tenant, expected, needed, _messages(tenant, writes, list(needed), bodies))


def _check_size(bodies: Sequence[bytes]) -> None:
    largest = max(len(body) for body in bodies)
    total = sum(len(body) for body in bodies)
    if (
        len(bodies) > BATCH_EVENTS_MAX
        or largest > EVENT_MAX_BYTES - HEADERS_MAX_BYTES
        or total > BATCH_MAX_BYTES
    ):
        raise errors.LedgerBatchTooLarge(
            events=len(bodies), largest_bytes=largest, total_bytes=total
        )


def _needed(expected: Mapping[str, int], guards: Sequence[Guard]) -> list[Guard]:
    """Return the guards that a write's own expectation does not already cover, each once."""
    needed: dict[str, Guard] = {}
    known = dict(expected)
    for guard in guards:
        if known.setdefault(guard.aggregate, guard.expected) != guard.expected:
            raise errors.LedgerConflict(
                aggregate=guard.aggregate, expected=guard.expected, actual=known[guard.aggregate]
            )
        if guard.aggregate not in expected:
            needed[guard.aggregate] = guard
    return list(needed.values())


def _messages(
    tenant: str, writes: Sequence[Write], guards: list[Guard], bodies: Sequence[bytes]
) -> list[Outgoing]:
    messages: list[Outgoing] = []
    for write in writes:
        subject = subjects.ledger(tenant, write.aggregate)
        for k, event in enumerate(write.events):
            headers = {MESSAGE_ID: str(event.id)}
            if k == 0:
                headers[EXPECTED] = str(write.expected)
            elif guards:
                headers.update(_guarding(tenant, guards.pop(0)))
            messages.append(Outgoing(write.aggregate, subject, bodies[len(messages)], headers))
    return messages


def _guarding(tenant: str, guard: Guard) -> dict[str, str]:
    return {
        EXPECTED: str(guard.expected),
        EXPECTED_SUBJECT: subjects.ledger(tenant, guard.aggregate),
    }
