"""The queries on the bus: request/reply on `query.<tenant>.<name>`, one JSON object each.

Unknown fields are refused (`command.unreadable`), so that a typing error is no wider question.
`docs/reference/queries.md` is generated from this package.
"""

from typing import Any

from shared.queries.base import *  # noqa: F403  this module is the contract's table of contents
from shared.queries.base import Question
from shared.queries.conversation import *  # noqa: F403
from shared.queries.conversation import CONVERSATION_QUERIES
from shared.queries.deliveries import *  # noqa: F403
from shared.queries.deliveries import DELIVERY_QUERIES
from shared.queries.explanation import *  # noqa: F403
from shared.queries.explanation import EXPLANATION_QUERIES
from shared.queries.feedback import *  # noqa: F403
from shared.queries.feedback import FEEDBACK_QUERIES
from shared.queries.measures import *  # noqa: F403
from shared.queries.measures import MEASURES_QUERIES
from shared.queries.missed import *  # noqa: F403
from shared.queries.missed import MISSED_QUERIES
from shared.queries.reviews import *  # noqa: F403
from shared.queries.reviews import REVIEW_QUERIES
from shared.queries.service_levels import *  # noqa: F403
from shared.queries.service_levels import SERVICE_LEVEL_QUERIES
from shared.queries.work import *  # noqa: F403
from shared.queries.work import WORK_QUERIES

QUERIES: dict[str, type[Question[Any]]] = {
    question.name: question
    for question in (
        *CONVERSATION_QUERIES,
        *EXPLANATION_QUERIES,
        *WORK_QUERIES,
        *REVIEW_QUERIES,
        *FEEDBACK_QUERIES,
        *SERVICE_LEVEL_QUERIES,
        *DELIVERY_QUERIES,
        *MISSED_QUERIES,
        *MEASURES_QUERIES,
    )
}
"""Every question by the last token of its subject."""
