"""What a shop's systems and pages report. Ingest writes these to CONTACTS, as `shared/events/contact.py`."""

from typing import Literal

from shared.events.contact_parts import ContactOpen, ContactPersonal, Medium
from shared.events.envelope import ContactId, Event, Part


class OrderChangedOpen(ContactOpen, frozen=True, kw_only=True):
    """`status`: the shop's word, for example `open`, `shipped`, `closed`; `provider_time`: when it changed there.

    What a command tells of an order names no channel and no contact.
    """

    status: str
    contact_id: ContactId = ContactId("")
    medium: Medium = "shop"
    channel: str = ""
    account: str = ""
    provider_id: str = ""


class OrderChangedPersonal(ContactPersonal, frozen=True, kw_only=True):
    """`number`: as the customer knows it; `external_id`: the shop's own id of her."""

    number: str
    description: str | None = None
    external_id: str | None = None


class OrderChanged(
    Event[OrderChangedOpen, OrderChangedPersonal], frozen=True, kw_only=True, tag="order.changed"
):
    """An order of the customer is new or has a new status."""


class SeenPage(Part, frozen=True, kw_only=True):
    """A page that was looked at. `url`: without its fragment."""

    url: str | None = None
    title: str | None = None


CartChange = Literal["added", "removed", "whole", "ordered"]
"""What an event does with the cart: adds to it, takes from it, tells all that lies in it, or orders that."""


class VisitSummarisedPersonal(ContactPersonal, frozen=True, kw_only=True):
    """`did`: what was done there, in the site's words; `pages`, `cart`: in their order; `text`: what she wrote, such as
    a review; `campaign`: what brought her, as (name, value); `cart_is`: what becomes of the cart by `cart`."""

    did: list[str] = []
    pages: list[SeenPage] = []
    cart: list[str] = []
    cart_is: CartChange | None = None
    campaign: list[tuple[str, str]] = []
    text: str = ""


class VisitSummarised(
    Event[ContactOpen, VisitSummarisedPersonal], frozen=True, kw_only=True, tag="visit.summarised"
):
    """What a visitor did on the shop's pages. Her browser says so."""
