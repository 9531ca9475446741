"""How each question is answered from the tables. Each reader runs inside one snapshot of the live generation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from services.history.domain.packets import stored_packet
from services.history.domain.views import (
    conversation_of,
    conversation_view,
    customer_of,
    handle_digest,
)
from services.history.store import Session
from shared import errors, queries
from shared.policy import Policy

Line = TypeVar("Line", bound=msgspec.Struct)
ANSWER_MAX_BYTES = 768 * 1024
"""Pages end here: the bus takes 1 MiB in one message."""
NOTHING = msgspec.Raw(b"null")
ROW_OVERHEAD_BYTES = 1_024
"""What a timeline row takes beside its text and its open part, at most."""


class Reader:
    """Answers one tenant's questions in one snapshot, with at most `rows_max` rows."""

    def __init__(self, session: Session, policy: Policy, rows_max: int) -> None:
        self._session = session
        self._policy = policy
        self._tenant = policy.tenant
        self._rows_max = rows_max

    async def position(self, _: queries.AskPosition) -> queries.Answer:
        return queries.Answer(position=await self._position())

    async def timeline(self, asked: queries.AskTimeline) -> queries.Timeline:
        position = await self._position()
        limit = min(asked.limit or self._rows_max, self._rows_max)
        of_one = asked.conversation is not None
        name = "timeline_of_conversation" if of_one else "timeline_of_customer"
        whose = asked.conversation if of_one else asked.customer
        found = await self._session.fetch(name, self._tenant, whose, asked.after, limit + 1)
        if not found and not asked.after:
            await (self._known_conversation(whose) if of_one else self._known_customer(whose))
        rows = _page(found[:limit])
        more = len(rows) < len(found)
        return queries.Timeline(
            position=position, rows=rows, next=rows[-1].sequence if more else None
        )

    async def conversation(self, asked: queries.AskConversation) -> queries.ConversationAnswer:
        row = await self._known_conversation(asked.conversation)
        view = conversation_view(conversation_of(row["state"]), asked.conversation, self._rows_max)
        return queries.ConversationAnswer(position=await self._position(), conversation=view)

    async def customer(self, asked: queries.AskCustomer) -> queries.CustomerAnswer:
        customer_id = asked.customer
        if asked.handle is not None:
            digest = handle_digest(asked.handle.value)
            held = await self._session.fetch_one(
                "customer_of_handle", self._tenant, asked.handle.kind, digest
            )
            customer_id = None if held is None else held["customer"]
        it = customer_of((await self._known_customer(customer_id))["state"])
        lines = await self._session.fetch(
            "conversations_of_customer", self._tenant, customer_id, self._rows_max
        )
        view = queries.CustomerView(
            id=str(customer_id),
            provisional=it.provisional,
            name=it.name,
            salutation=it.salutation,
            language=it.language,
            handles=list(it.handles),
            orders=list(it.orders.values())[-self._rows_max :],
        )
        return queries.CustomerAnswer(
            position=await self._position(),
            customer=view,
            conversations=_lines(queries.ConversationLine, lines),
        )

    async def context(self, asked: queries.AskContext) -> queries.ContextAnswer:
        if asked.conversation is not None:
            await self._known_conversation(asked.conversation)
            arguments = ("packet_of_conversation", asked.conversation)
        else:
            arguments = ("packet_by_id", str(asked.packet_id))
        row = await self._session.fetch_one(arguments[0], self._tenant, arguments[1])
        return queries.ContextAnswer(
            position=await self._position(),
            packet=NOTHING if row is None else stored_packet(row["body"]),
            packet_id=None if row is None else row["packet_id"],
            sha256=None if row is None else row["sha256"],
            sequence=None if row is None else row["sequence"],
        )

    async def inbox(self, asked: queries.AskInbox) -> queries.Inbox:
        queues = None if asked.queue is None else [asked.queue]
        if asked.agent is not None:
            agent = self._policy.agents.get(asked.agent)
            if agent is None:
                raise errors.AgentUnknown(agent=asked.agent)
            queues = list(agent.queues)
        offered = await self._session.fetch(
            "inbox_offered", self._tenant, asked.agent, asked.queue, self._rows_max
        )
        waiting = await self._session.fetch("inbox_waiting", self._tenant, queues, self._rows_max)
        owned: Sequence[Mapping[str, Any]] = []
        if asked.queue is None:
            owned = await self._session.fetch(
                "inbox_owned", self._tenant, asked.agent, self._rows_max
            )
        return queries.Inbox(
            position=await self._position(),
            offered=_lines(queries.InboxLine, offered),
            waiting=_lines(queries.InboxLine, waiting),
            owned=_lines(queries.InboxLine, owned),
        )

    async def callbacks(self, asked: queries.AskCallbacks) -> queries.Callbacks:
        rows = await self._session.fetch(
            "callbacks", self._tenant, asked.queue, asked.status, self._rows_max
        )
        lines = _lines(queries.CallbackLine, rows)
        return queries.Callbacks(position=await self._position(), count=len(lines), callbacks=lines)

    async def promises(self, asked: queries.AskPromises) -> queries.Promises:
        rows = await self._session.fetch(
            "promises", self._tenant, asked.agent, asked.status, self._rows_max
        )
        lines = _lines(queries.PromiseLine, rows)
        return queries.Promises(position=await self._position(), count=len(lines), promises=lines)

    async def overlooked(self, _: queries.AskOverlooked) -> queries.Overlooked:
        rows = await self._session.fetch("overlooked", self._tenant, self._rows_max)
        lines = _lines(queries.OverlookedLine, rows)
        return queries.Overlooked(position=await self._position(), count=len(lines), requests=lines)

    async def known(self, asked: queries.AskKnown) -> queries.KnownAnswer:
        rows = await self._session.fetch("known", self._tenant, asked.ids)
        known = {
            row["id"]: queries.KnownEvent(sequence=row["sequence"], raw=row["raw"]) for row in rows
        }
        return queries.KnownAnswer(position=await self._position(), known=known)

    async def _position(self) -> int:
        row = await self._session.fetch_one("position")
        assert row is not None
        return int(row["position"])

    async def _known_conversation(self, conversation: str | None) -> Mapping[str, Any]:
        row = await self._session.fetch_one("conversation", self._tenant, conversation)
        if row is None:
            raise errors.ConversationUnknown(conversation=conversation)
        return row

    async def _known_customer(self, customer: str | None) -> Mapping[str, Any]:
        row = await self._session.fetch_one("customer", self._tenant, customer)
        if row is None:
            raise errors.CustomerUnknown(customer=customer)
        return row


ANSWERED_BY: Mapping[
    type[queries.Question[Any]], Callable[[Reader, Any], Awaitable[queries.Answer]]
] = {
    queries.AskTimeline: Reader.timeline,
    queries.AskConversation: Reader.conversation,
    queries.AskCustomer: Reader.customer,
    queries.AskContext: Reader.context,
    queries.AskInbox: Reader.inbox,
    queries.AskCallbacks: Reader.callbacks,
    queries.AskPromises: Reader.promises,
    queries.AskOverlooked: Reader.overlooked,
    queries.AskPosition: Reader.position,
    queries.AskKnown: Reader.known,
}
"""Which method answers which question; `as_of` is answered from the ledger, not from the tables."""


def _lines(kind: type[Line], rows: Sequence[Mapping[str, Any]]) -> list[Line]:
    return [kind(**dict(row)) for row in rows]


def _page(rows: Sequence[Mapping[str, Any]]) -> list[queries.TimelineRow]:
    """Return the first rows that fit into one answer; always at least one of them."""
    page: list[queries.TimelineRow] = []
    room = ANSWER_MAX_BYTES
    for row in rows:
        opened = str(row["open"]).encode()
        room -= len(opened) + len(msgspec.json.encode(row["text"])) + ROW_OVERHEAD_BYTES
        if page and room < 0:
            break
        page.append(queries.TimelineRow(**{**dict(row), "open": msgspec.Raw(opened)}))
    return page
