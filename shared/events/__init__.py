"""All events: one tagged union on the wire.

Change is additive only: a new optional field with a default, or a new type.
Each type has a golden sample under `tests/golden/events/` that must decode for ever.
"""

import functools
import typing

from shared.events.agreements import *  # noqa: F403  this module is the union's table of contents
from shared.events.agreements import AgreementEvent
from shared.events.announcement import *  # noqa: F403
from shared.events.announcement import AnnouncementEvent
from shared.events.attachment import *  # noqa: F403
from shared.events.calls import *  # noqa: F403
from shared.events.contact import *  # noqa: F403
from shared.events.contact import ContactEvent
from shared.events.contact_parts import *  # noqa: F403
from shared.events.conversation import *  # noqa: F403
from shared.events.conversation import ConversationEvent
from shared.events.envelope import *  # noqa: F403
from shared.events.escalation import *  # noqa: F403
from shared.events.escalation import EscalationEvent
from shared.events.feedback import *  # noqa: F403
from shared.events.feedback import FeedbackEvent
from shared.events.handling import *  # noqa: F403
from shared.events.handling import HandlingEvent
from shared.events.lanes import *  # noqa: F403
from shared.events.lanes import LaneEvent
from shared.events.ledger import *  # noqa: F403
from shared.events.ledger import LedgerEvent
from shared.events.making import *  # noqa: F403
from shared.events.matter import *  # noqa: F403
from shared.events.matter import MatterEvent
from shared.events.notification import *  # noqa: F403
from shared.events.notification import NotificationEvent
from shared.events.parking import *  # noqa: F403
from shared.events.parking import SetAsideEvent
from shared.events.people import *  # noqa: F403
from shared.events.people import PeopleEvent
from shared.events.promises import *  # noqa: F403
from shared.events.promises import PromiseEvent
from shared.events.review import *  # noqa: F403
from shared.events.review import ReviewEvent
from shared.events.shop import *  # noqa: F403
from shared.events.sla import *  # noqa: F403
from shared.events.sla import SlaEvent
from shared.events.transfer import *  # noqa: F403
from shared.events.transfer import TransferEvent
from shared.events.work import *  # noqa: F403
from shared.events.work import WorkEvent

AnyEvent = (
    ContactEvent
    | ConversationEvent
    | HandlingEvent
    | ReviewEvent
    | FeedbackEvent
    | WorkEvent
    | TransferEvent
    | EscalationEvent
    | MatterEvent
    | PromiseEvent
    | SlaEvent
    | AgreementEvent
    | PeopleEvent
    | SetAsideEvent
    | AnnouncementEvent
    | NotificationEvent
    | LaneEvent
    | LedgerEvent
)


@functools.cache
def event_types() -> dict[str, type[AnyEvent]]:
    """Return every event type by its wire name, for example `transfer.accepted`."""
    return {str(kind.__struct_config__.tag): kind for kind in typing.get_args(AnyEvent)}
