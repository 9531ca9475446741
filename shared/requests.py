"""How a request on the bus is read: its size, its shape, its age, and who sends it."""

import functools
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from shared import codec, commands, errors, events, ids, queries, strict
from shared.policy import Policy

COMMAND_MAX_BYTES = 131_072
QUESTION_MAX_BYTES = 262_144

T = TypeVar("T")
QuestionT = TypeVar("QuestionT", bound=queries.Question[Any])


def read_command(verb: str, body: bytes) -> commands.Command:
    """Return the command in a request. Raises: CommandUnknown, CommandUnreadable."""
    kind = commands.COMMANDS.get(verb)
    if kind is None:
        raise errors.CommandUnknown(command=verb)
    if len(body) > COMMAND_MAX_BYTES:
        raise errors.CommandUnreadable("the command is too large", limit_bytes=COMMAND_MAX_BYTES)
    try:
        command: commands.Command = strict.read_json(body, _decoder(kind))
    except codec.UNREADABLE as error:
        raise errors.CommandUnreadable(f"the body is not a valid {verb}: {error}") from None
    return command


@functools.cache
def _decoder(kind: type[T]) -> msgspec.json.Decoder[T]:
    """Return what reads a kind of request: it is made once, which takes longer than a reading."""
    return msgspec.json.Decoder(kind)


def check_age(command_id: str, issued_at: datetime, now: datetime) -> None:
    """Refuse what is issued too early or too late to be new; what is remembered is asked before.

    Raises: CommandTooOld, CommandTooNew.
    """
    if now - issued_at > commands.REMEMBERED:
        raise errors.CommandTooOld(command_id=command_id)
    if issued_at - now > commands.SKEW:
        raise errors.CommandTooNew(command_id=command_id)


def read_question(kind: type[QuestionT], body: bytes) -> QuestionT:
    """Return the question in a request; an empty body is `{}`. Raises: CommandUnreadable."""
    if len(body) > QUESTION_MAX_BYTES:
        raise errors.CommandUnreadable(limit_bytes=QUESTION_MAX_BYTES)
    try:
        question: QuestionT = strict.read_json(body or b"{}", _decoder(kind))
    except codec.UNREADABLE as error:
        raise errors.CommandUnreadable(reason=str(error)) from error
    return question


def sha256_of(command: commands.Command) -> str:
    """Return the hash by which a repeated command is told from a reused id: of its verb and its canonical form."""
    return ids.body_sha256(command.verb.encode() + b"\n" + _canonical(command))


def sha256_before_verbs(command: commands.Command) -> str:
    """Return the hash by which 0.1 remembered a command: of its canonical form alone."""
    return ids.body_sha256(_canonical(command))


def _canonical(command: commands.Command) -> bytes:
    return msgspec.json.encode(command, order="deterministic")


def agent_of(policy: Policy, actor: str) -> events.AgentId:
    """Return the agent who gives a command. Raises: CommandForbidden for services, AgentUnknown."""
    kind, _, name = actor.partition(":")
    if kind != "agent":
        raise errors.CommandForbidden(actor=actor)
    if name not in policy.agents:
        raise errors.AgentUnknown(agent=name)
    return events.AgentId(name)
