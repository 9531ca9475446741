"""What an agent records of a customer who came to the counter or wrote a letter: a contact like any other."""

from datetime import timedelta

from services.router.domain.contacts import decide_contact
from services.router.domain.decision import Decision, Origin
from shared import aggregates, commands, errors, events, handles, ids, proof
from shared.ids import scoped_id

CHANNEL = "agent"
"""The channel of what an agent reports; its account is the agent."""
EARLIEST = timedelta(days=366)
"""So long ago a contact may have been that is recorded now."""


def recorded_contact(command: commands.RecordContact, origin: Origin) -> events.MessageReceived:
    """Return the contact event of a command. Raises: HandleInvalid, ContactTimeInvalid, TextHasNul.

    What the agent has verified, such as an identity card, is proved; what was only said is a claim.
    """
    if "\0" in command.text or "\0" in (command.name or ""):
        raise errors.TextHasNul()
    at = command.at or command.issued_at
    if not timedelta(0) <= command.issued_at - at <= EARLIEST:
        raise errors.ContactTimeInvalid()
    agent = command.actor.partition(":")[2]
    known = scoped_id(origin.cause, origin.cause_sha256 or "")
    contact_id = events.ContactId(ids.scoped_id("contact", origin.tenant, CHANNEL, known))
    opened = events.MessageReceivedOpen(
        contact_id=contact_id,
        medium=command.medium,
        channel=CHANNEL,
        account=agent,
        provider_id=known,
        provider_time=at,
    )
    personal = events.MessageReceivedPersonal(
        handles=_handles(command, origin.policy.region), name=command.name, text=command.text
    )
    about = events.Origin(
        tenant=origin.tenant,
        service=origin.service,
        actor=origin.actor,
        occurred=at,
        recorded=origin.recorded,
    )
    kind = "message.received"
    event_id = ids.contact_event_id(origin.tenant, CHANNEL, agent, known, kind)
    aggregate = f"contact-{contact_id}"
    return events.make(events.MessageReceived, about, event_id, aggregate, opened, personal)


def _handles(command: commands.RecordContact, region: str | None) -> list[events.Handle]:
    return [
        handles.of(
            each.kind,
            handles.normal(each.kind, each.value, region),
            "proved" if each.verified else proof.WORTH[command.medium],
        )
        for each in command.handles
    ]


def record_contact(decision: Decision, command: commands.RecordContact) -> None:
    """The contact joins or opens a conversation; the agent's own note says which."""
    event, place = decision.loaded.reported, decision.loaded.place
    assert isinstance(event, events.MessageReceived)
    assert place is not None
    decide_contact(decision, event, place)
    noted = events.CommandNotedOpen(command=command.verb, conversation=decision.conversation.id)
    decision.emit(events.CommandNoted, aggregates.AGENT.of(decision.by), noted)
