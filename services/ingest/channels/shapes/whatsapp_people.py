"""Whom a webhook of WhatsApp is about: by her WhatsApp id, which is her number, and by her id with the business.

Source: whatsapp/business-scoped-user-ids, read 2026-11: either may be missing; the second is `<country>.<characters>`.
"""

from dataclasses import dataclass

from services.ingest.channels.shapes import graph_webhooks as graph
from services.ingest.channels.shapes.graph_webhooks import NOTHING, Node
from services.ingest.domain import texts
from shared import events, handles

CHANNEL = "whatsapp"


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer. `id`: by which her contact is known: her number's where it is told."""

    id: str
    handles: tuple[events.Handle, ...]
    name: str | None = None


class Contacts:
    """The people whom a change lists in `contacts`, each found by either id, however many are listed."""

    def __init__(self, value: Node) -> None:
        self._listed = graph.nodes(value, "contacts")
        self._by_number: dict[str, int] = {}
        self._by_user: dict[str, int] = {}
        for position, each in enumerate(self._listed):
            self._by_number.setdefault(graph.identity(each, "wa_id"), position)
            self._by_user.setdefault(graph.identity(each, "user_id"), position)

    def of(self, number: str, user_id: str) -> Node:
        """Return what stands there first of whoever has one of these ids."""
        found = [self._by_number.get(number)] if number else []
        found += [self._by_user.get(user_id)] if user_id else []
        positions = [each for each in found if each is not None]
        return self._listed[min(positions)] if positions else NOTHING

    @property
    def only(self) -> Node:
        """The one contact, whose WhatsApp id is written otherwise than her number in some countries."""
        return self._listed[0] if len(self._listed) == 1 else NOTHING


def person(contacts: Contacts, number: str, user_id: str) -> Customer | None:
    """Return who has a WhatsApp id or an id with the business, by `contacts` too; `None` without both."""
    number = number.removeprefix("+")
    contact = contacts.of(number, user_id)
    user_id = user_id or graph.identity(contact, "user_id")
    known = [each for each in (number, user_id) if each]
    if not known:
        return None
    found = [handles.account(CHANNEL, each) for each in known]
    dialled = handles.phone(f"+{number}") if number.isdigit() else None
    if dialled is not None:
        found.append(handles.of("phone", dialled, "proved"))
    return Customer(known[0], tuple(found), _name(contact or contacts.only))


def sender(contacts: Contacts, message: Node) -> Customer | None:
    """Return who wrote a message; where it does not say so, the one contact that stands beside it."""
    number, user_id = graph.identity(message, "from"), graph.identity(message, "from_user_id")
    if not number and not user_id:
        number = graph.identity(contacts.only, "wa_id")
        user_id = graph.identity(contacts.only, "user_id")
    return person(contacts, number, user_id)


def addressee(contacts: Contacts, message: Node) -> Customer | None:
    """Return to whom the business wrote on its own telephone."""
    return person(contacts, graph.identity(message, "to"), graph.identity(message, "to_user_id"))


def recipient(contacts: Contacts, status: Node) -> Customer | None:
    """Return whom a status is about: of a group, the one in it who has the message by now."""
    in_group = graph.word(status, "recipient_type") == "group"
    who = "recipient_participant" if in_group else "recipient"
    number, user_id = graph.identity(status, f"{who}_id"), graph.identity(status, f"{who}_user_id")
    return person(contacts, number, user_id)


def renamed(before: Customer | None, after: Customer | None) -> Customer | None:
    """Return the person who has other ids now: her contact is the same, her new ids stand first."""
    if before is None or after is None:
        return before or after
    known = dict.fromkeys((*after.handles, *before.handles))
    return Customer(before.id, tuple(known), before.name or after.name)


def _name(contact: Node) -> str | None:
    return texts.line(graph.word(contact, "profile", "name"))
