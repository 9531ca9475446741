"""What a conversation is: the customer's matter across channels, until it is resolved."""

from datetime import datetime

import msgspec

from shared import events, memory
from shared.conversation.contacts import Contact, Contacts
from shared.conversation.handling import Handling
from shared.conversation.last_escalation import LastEscalation
from shared.conversation.last_packet import LastPacket
from shared.conversation.levels import ServiceLevels
from shared.conversation.live_wait import LiveWait
from shared.conversation.matter import Matter
from shared.conversation.ownership import Ownership
from shared.conversation.people import People
from shared.conversation.reviews import Reviewing
from shared.conversation.satisfaction import Satisfaction
from shared.conversation.talk import Talk
from shared.events.packet import Announcement, Earlier, Visit


class Announced(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """What the desk is to know of this matter, as its last packet shows it. `more`: how many hold beside those."""

    shown: tuple[Announcement, ...] = ()
    more: int = 0


class Conversation(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """The whole matter, folded in parts: each part has its own file and its own `evolve`.

    What stands at its default is not written where a fold is kept: a new field changes no row that lacks it.
    An older version that meets a field that it does not know stops, rather than writing the row without the field.

    `id` is `None` while nothing was recorded; `correlation`: id of the contact event that opened it; `into`: the
    conversation in which it goes on; `after`: the resolved one with which she goes on in this one; `heard`: sequence of
    the last event by which the customer, not a machine, wrote or called, or by which what she had said elsewhere came
    here; `visit`: her last one to the shop's pages, as it was found with her last new contact; `imported`: it was over
    before it came here; `live_wait`: whoever waits on the line or in a chat, where the policy has limits for it.
    """

    id: events.ConversationId | None = None
    customer: events.CustomerId | None = None
    correlation: str | None = None
    opened: datetime | None = None
    resolved: bool = False
    into: events.ConversationId | None = None
    after: Earlier | None = None
    contacts: Contacts = Contacts()
    ownership: Ownership = Ownership()
    matter: Matter = Matter()
    talk: Talk = Talk()
    people: People = People()
    levels: ServiceLevels = ServiceLevels()
    handling: Handling = Handling()
    reviewing: Reviewing = Reviewing()
    satisfaction: Satisfaction = Satisfaction()
    packet: LastPacket = LastPacket()
    escalation: LastEscalation = LastEscalation()
    visit: Visit | None = None
    announced: Announced = Announced()
    seen: memory.Memory = {}
    heard: int = 0
    imported: bool = False
    live_wait: LiveWait | None = None
    sequence: int = 0

    @property
    def waiting_contact(self) -> Contact | None:
        """The contact for which an agent is sought; `None` when nobody waits.

        A live contact that waits comes first; in an owned conversation that is a call, which rings at the owner.
        Without an owner it is else the last one that an agent had, and the last one at all once no callback is owed
        for a lost call: no open conversation is left to itself.
        """
        if self.resolved:
            return None
        contacts = self.contacts.by_id.values()
        waiting = next((each for each in contacts if each.live and each.status == "waiting"), None)
        if waiting is not None or self.ownership.owner is not None:
            return waiting
        had = next((each for each in reversed(contacts) if each.status == "accepted"), None)
        return had or (self.contacts.last if self.matter.owed is None else None)


NEW_CONVERSATION = Conversation()
