"""What all contact events share: the handles of a person, and the parts that each event adds its own to."""

from typing import Literal

from shared.events.envelope import ContactId, Instant, Part

HandleKind = Literal["phone", "email", "account", "visitor", "reference"]
"""`account` is what a provider calls somebody, behind the name of its channel and a colon.

`reference` is `<channel>/<account>/<id>`, the provider's id of a call, thread or session behind where it is from: it
leads to a contact, never to a person (docs/adr/0046).
"""


Medium = Literal["call", "chat", "mail", "message", "form", "visit", "letter", "shop", "site"]
"""How the customer comes, whoever carries it: rules look at the medium, never at the provider's name.

`call`: somebody has to pick it up while it lasts; `chat`: she waits on a page; `mail`, `letter`: threads of their own;
`message`: a messaging app or a text message; `form`: sent once; `visit`: at a counter; `shop`,
`site`: nobody comes, the shop's systems and its pages report.
"""


Proof = Literal["proved", "delivered", "claimed"]
"""How well it is proved whose a handle is: by somebody who vouches, by the network, by nobody. See `shared.proof`."""


class Handle(Part, frozen=True, kw_only=True):
    """A handle of a person or a contact.

    `proof`: the channel's own degree, `None` for a reference; `verified`: the same as `proved`, for older readers.
    """

    kind: HandleKind
    value: str
    verified: bool = False
    proof: Proof | None = None


class Numbered(Part, frozen=True, kw_only=True):
    """How the provider numbers a report: `number` counts within `series`, such as one call's or one conference's."""

    series: str
    number: int


class ContactOpen(Part, frozen=True, kw_only=True):
    """The open part that all contact events share.

    `provider_time`: the provider's own signed time; `None` when it gives none that can be trusted.
    `automatic`: sent by a machine (auto-reply, bounce, list); it never counts as a customer's request.
    `numbered`: the report's place in the order in which things happened; `None` where the provider gives none.
    """

    contact_id: ContactId
    medium: Medium
    channel: str
    account: str
    provider_id: str
    provider_time: Instant | None = None
    automatic: bool = False
    numbered: Numbered | None = None


class ContactPersonal(Part, frozen=True, kw_only=True):
    """The personal part that all contact events share. `handles`: strongest first; [] when withheld."""

    handles: list[Handle] = []
    name: str | None = None


class AttachedFile(Part, frozen=True, kw_only=True):
    """A file that came with a message. `size_bytes`, `sha256`: of the file, decoded, where the delivery has its bytes.

    `source`: where the provider keeps it, its id there or its address; `None` where its bytes are in the delivery.
    """

    name: str | None = None
    media_type: str
    size_bytes: int | None = None
    sha256: str | None = None
    source: str | None = None
