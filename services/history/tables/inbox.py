"""The lists of what an agent, a queue, or the whole tenant has before it, read together, page by page."""

from collections.abc import Mapping
from typing import Any

import msgspec

from services.history.tables import paging
from services.history.tables.table import Reading
from shared import cursors, errors, queries

Lists = Mapping[str, tuple[Any, ...]]
"""The named query of each list, and its filters but the last: after which position a line has changed."""


class _Round(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where whoever reads the lists goes on.

    A conversation that leaves a list before it was read there, and enters one that was read, would never be shown. So a
    round of more than one page is followed by a round over what has changed since it began; one of a single page is the
    last.

    Attributes:
        places: where each list goes on that is not at its end; {} at the beginning of a round.
        since: only what has changed after this position is read in this round.
        began: the position of the round's first page; `None` before it.
    """

    places: dict[str, paging.Place] = {}
    since: queries.Position = 0
    began: queries.Position | None = None


_decoder = msgspec.json.Decoder(_Round)


async def inbox(reading: Reading, asked: queries.AskInbox) -> queries.Inbox:
    """Answer what an agent, a queue, or the whole tenant has before it. Raises: AgentUnknown, CommandUnreadable."""
    lists, at = _lists(reading, asked), await reading.position()
    here = _here(asked.after, lists)
    lines: dict[str, list[queries.InboxLine]] = {}
    places: dict[str, paging.Place] = {}
    for name, filters in lists.items():
        if name in here.places or not here.places:
            place = here.places.get(name)
            rows = await reading.behind(
                place, name, *filters, here.since, limit=reading.limit(asked)
            )
            page = paging.page(queries.InboxLine, name, rows, reading.limit(asked), 0)
            lines[name], places = page.lines, {**places, **page.going_on}
    counts = {name: await reading.counted(name, *filters, 0) for name, filters in lists.items()}
    return queries.Inbox(
        position=at,
        offered=lines.get("inbox_offered", []),
        waiting=lines.get("inbox_waiting", []),
        owned=lines.get("inbox_owned", []),
        counts=queries.InboxCounts(
            offered=counts["inbox_offered"],
            waiting=counts["inbox_waiting"],
            owned=counts.get("inbox_owned", 0),
        ),
        next=await _next(reading, lists, here, places, at),
    )


def _lists(reading: Reading, asked: queries.AskInbox) -> Lists:
    """Raises: AgentUnknown."""
    queues = None if asked.queue is None else [asked.queue]
    if asked.agent is not None:
        agent = reading.policy.agents.get(asked.agent)
        if agent is None:
            raise errors.AgentUnknown(agent=asked.agent)
        queues = list(agent.queues)
    lists: dict[str, tuple[Any, ...]] = {
        "inbox_offered": (asked.agent, asked.queue),
        "inbox_waiting": (queues,),
    }
    return lists if asked.queue is not None else {**lists, "inbox_owned": (asked.agent,)}


def _here(after: str | None, lists: Lists) -> _Round:
    """Return where a page begins. Raises: CommandUnreadable for an `after` that no answer gave."""
    if after is None:
        return _Round()
    found = cursors.read(after, _decoder)
    paging.check(found.places)
    if not found.places.keys() <= lists.keys():
        raise cursors.unreadable()
    return found


async def _next(
    reading: Reading, lists: Lists, here: _Round, places: dict[str, paging.Place], at: int
) -> str | None:
    """Return the `after` of the next page; `None` when every conversation that was there all the while was shown."""
    if places:
        began = at if here.began is None else here.began
        return _written(_Round(places=places, since=here.since, began=began))
    if here.began is None:
        return None
    changed = [await reading.counted(name, *each, here.began) for name, each in lists.items()]
    return _written(_Round(since=here.began)) if any(changed) else None


def _written(here: _Round) -> str | None:
    return cursors.written(msgspec.to_builtins(here))
