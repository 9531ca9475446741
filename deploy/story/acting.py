"""Carries out the steps in which somebody does something: doors, commands, queries, both together."""

import asyncio
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from deploy.story import agent_screen, errors
from deploy.story.file import model, reading, references
from deploy.story.file.durations import seconds
from deploy.story.providers import doors, provider_of
from deploy.story.providers.api import Arrived
from deploy.story.providers.doors import Answer
from deploy.story.session import Session
from shared.errors import PayloadUnreadable

COMMAND_SECONDS = 30.0
"""How long a command is sent again at least: longer than any service needs to come back."""
POLL_SECONDS = 0.05
WRONG_KEY = "not-the-key"


async def act(
    session: Session,
    step: model.DoorStep | model.CommandStep | model.TogetherStep | model.ReceiptStep,
    n: str,
) -> None:
    """Carry out a step; its answers stand on the session. Raises: StepFailed, StoryInvalid."""
    match step:
        case model.DoorStep():
            session.answers = await _door(session, step)
        case model.CommandStep():
            session.answers = await _command(session, step, n)
        case model.ReceiptStep():
            session.answers = await _receipt(session, step)
        case model.TogetherStep():
            inside = reading.together_steps(step, f"step {n}")
            tasks = [
                _one_of_several(session.of(each.tenant), each, f"{n}.{k}")
                for k, each in enumerate(inside, 1)
            ]
            session.answers = [answer for some in await asyncio.gather(*tasks) for answer in some]


async def _one_of_several(
    session: Session, step: model.DoorStep | model.CommandStep, n: str
) -> list[Answer]:
    return await (
        _door(session, step) if isinstance(step, model.DoorStep) else _command(session, step, n)
    )


# -- doors ------------------------------------------------------------------------------------------


async def _door(session: Session, step: model.DoorStep) -> list[Answer]:
    """Deliver `times` times, byte for byte the same."""
    step = msgspec.structs.replace(
        step,
        body=references.filled_in(step.body, session.known),
        headers=references.filled_in(step.headers, session.known),
    )
    provider = provider_of(step.door)
    door = session.stack.door(step.tenant or session.tenant, step.door)
    key = _key(session, step)
    if provider.HAS_SOCKET and not isinstance(step.body, str | bytes):
        run = str(session.known["run"])
        answers = [await session.chats.send(step, door, key, run) for _ in range(step.times)]
    else:
        content = content_of(step, Path(session.story.folder))
        delivery = doors.make_delivery(provider, door, content, key, step.headers)
        answers = [await doors.deliver(delivery) for _ in range(step.times)]
    _save(session, step.save, answers[-1].content)
    return answers


async def get(session: Session, step: model.GetStep) -> None:
    """Read a public address until every path of `save` leads somewhere. Raises: StepFailed."""
    deadline = time.monotonic() + seconds(step.within)
    while True:
        answer = await doors.read(session.stack.addresses["ingest"] + step.get)
        session.answers = [answer]
        try:
            _save(session, step.save, answer.content)
        except errors.StepFailed:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(POLL_SECONDS)
        else:
            return


async def _receipt(session: Session, step: model.ReceiptStep) -> list[Answer]:
    """Report on the newest message that a provider took. Raises: StepFailed, StoryInvalid."""
    arrived = await _arrived(session, step)
    provider = provider_of(step.receipt)
    try:
        body = provider.receipt(arrived, step.says)
    except PayloadUnreadable as error:
        raise errors.StoryInvalid(f"{step.receipt} reports nothing of the kind: {error}") from None
    return await _door(session, model.DoorStep(door=step.receipt, body=body, times=step.times))


async def _arrived(session: Session, step: model.ReceiptStep) -> Arrived:
    """Return the newest message that has arrived within the step's time. Raises: StepFailed."""
    deadline = time.monotonic() + seconds(step.within)
    channel = step.receipt.partition("/")[0]
    while True:
        for each in reversed(session.apis.arrived):
            if each.channel == channel and step.to in (None, each.to):
                return each
        if time.monotonic() > deadline:
            raise errors.StepFailed(
                "step.nothing_to_report", "the provider took no such message", wanted=step.to
            )
        await asyncio.sleep(POLL_SECONDS)


def _key(session: Session, step: model.DoorStep) -> str | None:
    """Return what a delivery is signed with; `None` when the step says not to."""
    if step.sign == "wrong":
        return WRONG_KEY
    account = session.policy.accounts.get(step.door)
    return doors.secret_of(account, session.stack.secrets) if step.sign else None


def content_of(step: model.DoorStep | model.ImportStep, folder: Path) -> Any:
    """Return what a step delivers: its body, or the text of a file in `folder`. Raises: StoryInvalid."""
    if step.file is None:
        return step.body
    try:
        return (folder / step.file).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise errors.StoryInvalid(f"the file {step.file} cannot be read") from None


async def bring_in(session: Session, step: model.ImportStep) -> None:
    """Import an exported history by the tool that an operator uses. Raises: StoryInvalid, StepFailed."""
    body = references.filled_in(step.body, session.known)
    content = (
        content_of(step, Path(session.story.folder)) if step.file else msgspec.json.encode(body)
    )
    channel, _, account = step.import_.partition("/")
    with tempfile.NamedTemporaryFile(suffix=".json") as export:
        export.write(content.encode() if isinstance(content, str) else content)
        export.flush()
        for _ in range(step.times):
            code, out = await session.stack.tool(
                session.tenant, "import", channel, export.name, f"--account={account}"
            )
            if code:
                raise errors.StepFailed("step.refused", "it was not imported", wanted=0, got=out)


# -- commands and queries ---------------------------------------------------------------------------


async def _command(session: Session, step: model.CommandStep, n: str) -> list[Answer]:
    """Send a command `times` times with the same bytes; the replies must be one and the same."""
    deadline = time.monotonic() + max(COMMAND_SECONDS, seconds(step.within))
    now = datetime.now(UTC)
    given = references.with_instants(references.filled_in(step.with_, session.known), now)
    screen = agent_screen.Screen(
        step.agent, session.queues_of(step.agent), session.asker, session.ledger
    )
    given = await screen.complete(step.do, given, time.monotonic() + seconds(step.within))
    body = {
        "command_id": f"{session.story.name}-{session.report.seed}-{n}",
        "issued_at": now.isoformat(),
        "actor": step.actor,
        **given,
    }
    replies = [
        await session.asker.command(step.do, body, deadline, step.tenant) for _ in range(step.times)
    ]
    if any(_lasting(reply) != _lasting(replies[0]) for reply in replies):
        raise errors.StepFailed(
            "step.reply_differs",
            "the same command had another reply",
            wanted=replies[0],
            got=replies,
        )
    _save(session, step.save, {**replies[-1], "sent": body})
    return [_as_answer(reply) for reply in replies]


def _lasting(reply: dict[str, Any]) -> dict[str, Any]:
    """A reply without the position, which may have moved on."""
    return {key: value for key, value in reply.items() if key != "position"}


def _as_answer(reply: dict[str, Any]) -> Answer:
    text = msgspec.json.encode(reply).decode()
    error = reply.get("error")
    if error is None:
        return Answer(200, text, None, reply)
    return Answer(400, text, str(error["code"]), reply)


async def ask(session: Session, step: model.AskStep) -> None:
    """Ask a query until every path of `save` leads somewhere. Raises: StepFailed."""
    deadline = time.monotonic() + seconds(step.within)
    body = references.with_instants(
        references.filled_in(step.with_, session.known), datetime.now(UTC)
    )
    while True:
        answer = await session.asker.query(step.ask, body, deadline + POLL_SECONDS)
        try:
            _save(session, step.save, answer)
        except errors.StepFailed:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(POLL_SECONDS)
        else:
            session.answers = [_as_answer(answer)]
            return


def _save(session: Session, paths: dict[str, str], answer: dict[str, Any]) -> None:
    session.known |= {name: references.at_path(answer, path) for name, path in paths.items()}
