"""How one service asks another: a question of the contract goes out, its answer comes back."""

import msgspec

from shared import subjects
from shared.bus import Bus
from shared.commands import Problem
from shared.errors import TellonceError, ViewUnavailable
from shared.queries import AnswerT, Question, answer_to


class _Reply(msgspec.Struct):
    """Any reply, as far as it tells a refusal from an answer."""

    error: Problem | None = None


async def ask(
    bus: Bus, tenant: str, question: Question[AnswerT], *, timeout_seconds: float
) -> AnswerT:
    """Ask a question and return its answer.

    Raises: ViewUnavailable when nobody answers in time, or with a refusal: the cause is among its details.
    """
    try:
        reply = await bus.request(
            subjects.query(tenant, question.name),
            msgspec.json.encode(question),
            timeout_seconds=timeout_seconds,
        )
    except TellonceError as error:
        raise ViewUnavailable(cause=error.code) from error
    refused = msgspec.json.decode(reply, type=_Reply).error
    if refused is not None:
        raise ViewUnavailable(cause=refused.code)
    return msgspec.json.decode(reply, type=answer_to(type(question)))
