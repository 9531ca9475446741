"""How one service asks another: a question of the contract goes out, its answer comes back."""

import msgspec

from shared import commands, errors, queries, subjects
from shared.bus import Bus


class _Reply(msgspec.Struct):
    """Any reply, as far as it tells a refusal from an answer."""

    error: commands.Problem | None = None


async def ask(
    bus: Bus, tenant: str, question: queries.Question[queries.AnswerT], *, timeout_seconds: float
) -> queries.AnswerT:
    """Ask a question and return its answer.

    Raises: ViewUnavailable when nobody answers in time, or with a refusal: the cause is among its details.
    """
    try:
        reply = await bus.request(
            subjects.query(tenant, question.name),
            msgspec.json.encode(question),
            timeout_seconds=timeout_seconds,
        )
    except errors.TellonceError as error:
        raise errors.ViewUnavailable(cause=error.code) from error
    refused = msgspec.json.decode(reply, type=_Reply).error
    if refused is not None:
        raise errors.ViewUnavailable(cause=refused.code)
    return msgspec.json.decode(reply, type=queries.answer_to(type(question)))
