"""The tables of history. A file holds a table's columns and the events that change them; its SQL stands beside it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from services.history.tables import (
    announcement,
    attendance,
    callback,
    clock,
    conversation,
    customer,
    event,
    explanation,
    fact,
    feedback,
    handle,
    handled,
    inbox,
    lost,
    notification,
    packet,
    parking,
    presence,
    promise,
    request,
    review,
    table,
    timeline,
    wait,
    work_list,
)
from services.history.tables.table import Fold, Reading, Table
from shared import queries
from shared.conversation import FOLD_VERSION

TABLES_VERSION = 29
"""Raise it whenever the same events would make other rows, for example with a new column or a new table."""

VERSION = FOLD_VERSION * 1_000 + TABLES_VERSION
"""Of the code that makes the rows: tables of a lower one are built anew when a projector starts."""

TABLES: tuple[Table[Any] | Fold[Any], ...] = (
    event.TABLE,
    timeline.TABLE,
    packet.TABLE,
    request.TABLE,
    conversation.FOLD,
    fact.TABLE,
    promise.TABLE,
    review.TABLE,
    feedback.TABLE,
    callback.TABLE,
    clock.TABLE,
    lost.TABLE,
    customer.FOLD,
    handle.TABLE,
    notification.FOLD,
    parking.TABLE,
    presence.TABLE,
    announcement.TABLE,
    wait.TABLE,
    handled.FOLD,
    attendance.FOLD,
    attendance.STRETCHES,
)
"""Every table that is projected, in the order of writing."""

ANSWERED_BY: Mapping[
    type[queries.Question[Any]], Callable[[Reading, Any], Awaitable[queries.Answer]]
] = {
    queries.AskTimeline: timeline.timeline,
    queries.AskExplain: explanation.explain,
    queries.AskConversation: conversation.conversation,
    queries.AskCustomer: customer.customer,
    queries.AskContext: packet.context,
    queries.AskInbox: inbox.inbox,
    queries.AskWorkList: work_list.work_list,
    queries.AskReviews: review.reviews,
    queries.AskFeedback: feedback.feedback,
    queries.AskCallbacks: callback.callbacks,
    queries.AskMissed: lost.missed,
    queries.AskMeasures: handled.measured,
    queries.AskPromises: promise.promises,
    queries.AskServiceLevel: clock.service_level,
    queries.AskClocks: clock.clocks,
    queries.AskPromiseRates: promise.promise_rates,
    queries.AskOverlooked: request.overlooked,
    queries.AskAnnouncements: announcement.announcements,
    queries.AskParked: parking.parked,
    queries.AskOnDuty: presence.on_duty,
    queries.AskWaiting: wait.waiting,
    queries.AskPosition: table.position,
    queries.AskKnown: event.known,
    queries.AskEntries: event.entries,
}
"""What answers which question from the tables; `as_of` is answered from the ledger itself."""

AT_A_GLANCE = frozenset(
    {
        queries.AskTimeline,
        queries.AskConversation,
        queries.AskContext,
        queries.AskPosition,
        queries.AskKnown,
        queries.AskEntries,
    }
)
"""What a single SELECT answers, as a rule."""
