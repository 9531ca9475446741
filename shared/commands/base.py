"""What every command has, and the words that commands share."""

from datetime import timedelta
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from shared import events

REMEMBERED = timedelta(hours=24)
"""How long a command's id is remembered; one issued earlier is refused as `command.too_old`."""

SKEW = timedelta(minutes=2)
"""How far the issuer's clock may be ahead of ours."""

Token = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:-]{1,128}\Z")]
Actor = Annotated[str, Meta(pattern=r"^(agent|service|integration):[a-z0-9_-]{1,32}\Z")]
ChannelName = Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,32}\Z")]
ParkedId = Annotated[
    str, Meta(pattern=r"^[a-z]+-[a-z0-9_-]{1,64}:(unread-[0-9]{1,19}|[0-9]{1,19}(-[a-z2-7]{8})?)\Z")
]
FactName = Annotated[str, Meta(pattern=r"^[a-z0-9_]{1,32}\Z")]
Label = Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,32}\Z")]
DiscountCode = Annotated[str, Meta(pattern=r"^[!#-\[\]-~]{1,32}\Z")]
AboutWord = Annotated[str, Meta(pattern=r"^\S(.{0,62}\S)?\Z")]
ID = Meta(max_length=128)
"""Of every id that a command names: what is longer is no id, and would come back in every refusal."""
ShortWord = Annotated[str, Meta(min_length=1, max_length=512)]
ShortText = Annotated[str, Meta(pattern=r"\S", min_length=1, max_length=512)]
LongText = Annotated[str, Meta(pattern=r"\S", min_length=1, max_length=32_768)]
"""What somebody says: blanks alone are no reason, and no answer."""


class Expected(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the caller saw when she decided; a mismatch is `command.stale`.

    `sequence`: of the last event of the conversation that she saw; a mismatch only if the customer wrote or called
    after it.
    """

    offer_id: Annotated[events.OfferId, ID] | None = None
    transfer_id: Annotated[events.TransferId, ID] | None = None
    packet_id: Annotated[events.PacketId, ID] | None = None
    sequence: Annotated[int, Meta(ge=0, le=2**53)] | None = None


class Command(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every command carries.

    Attributes:
        command_id: chosen by the caller; the same id with the same body has one effect and one reply.
        issued_at: RFC 3339 with a zone.
        actor: `agent:<id>` or `service:<name>`; of an integration it is always `integration:<name>`.
    """

    verb: ClassVar[str]
    served_by: ClassVar[str] = "router"

    command_id: Token
    issued_at: events.Instant
    actor: Actor
    expected: Expected | None = None


class ConversationCommand(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command about one conversation."""

    conversation: Annotated[events.ConversationId, ID]
