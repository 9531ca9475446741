"""Carries out the steps in which somebody does something: doors, commands, queries, both together."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from shared.story import doors
from shared.story.doors import Answer
from shared.story.errors import StepFailed
from shared.story.model import AskStep, CommandStep, DoorStep, TogetherStep, seconds
from shared.story.reading import together_steps
from shared.story.references import at_path, filled_in, with_instants
from shared.story.screen import Screen
from shared.story.stage import Stage

COMMAND_SECONDS = 30.0
"""How long a command is sent again at least: longer than any service needs to come back."""
POLL_SECONDS = 0.05


async def act(stage: Stage, step: DoorStep | CommandStep | TogetherStep, n: str) -> None:
    """Carry out a step; its answers stand on the stage. Raises: StepFailed, StoryInvalid."""
    match step:
        case DoorStep():
            stage.answers = await _door(stage, step)
        case CommandStep():
            stage.answers = await _command(stage, step, n)
        case TogetherStep():
            inside = together_steps(step, f"step {n}")
            tasks = [_one_of_several(stage, each, f"{n}.{k}") for k, each in enumerate(inside, 1)]
            stage.answers = [answer for some in await asyncio.gather(*tasks) for answer in some]


async def _one_of_several(stage: Stage, step: DoorStep | CommandStep, n: str) -> list[Answer]:
    return await (_door(stage, step) if isinstance(step, DoorStep) else _command(stage, step, n))


# -- doors ------------------------------------------------------------------------------------------


async def _door(stage: Stage, step: DoorStep) -> list[Answer]:
    """Deliver `times` times, byte for byte the same."""
    step = msgspec.structs.replace(
        step,
        body=filled_in(step.body, stage.known),
        headers=filled_in(step.headers, stage.known),
    )
    secret = doors.secret_of(stage.stack, stage.policy["accounts"], step.door)
    if step.door.startswith("chat/") and not isinstance(step.body, str | bytes):
        run = str(stage.known["run"])
        answers = [
            await stage.chats.send(step, stage.stack, stage.tenant, secret, run)
            for _ in range(step.times)
        ]
    else:
        folder = Path(stage.story.folder)
        delivery = doors.make_delivery(step, stage.stack, stage.tenant, secret, folder)
        answers = [await doors.deliver(delivery) for _ in range(step.times)]
    _save(stage, step.save, answers[-1].content)
    return answers


# -- commands and queries ---------------------------------------------------------------------------


async def _command(stage: Stage, step: CommandStep, n: str) -> list[Answer]:
    """Send a command `times` times with the same bytes; the replies must be one and the same."""
    deadline = time.monotonic() + max(COMMAND_SECONDS, seconds(step.within))
    now = datetime.now(UTC)
    given = with_instants(filled_in(step.with_, stage.known), now)
    screen = Screen(step.agent, stage.queues_of(step.agent), stage.asker, stage.ledger)
    given = await screen.complete(step.do, given, time.monotonic() + seconds(step.within))
    body = {
        "command_id": f"{stage.story.name}-{stage.report.seed}-{n}",
        "issued_at": now.isoformat(),
        "actor": step.actor,
        **given,
    }
    replies = [
        await stage.asker.command(step.do, body, deadline, step.tenant) for _ in range(step.times)
    ]
    if any(_lasting(reply) != _lasting(replies[0]) for reply in replies):
        raise StepFailed(
            "step.reply_differs",
            "the same command had another reply",
            wanted=replies[0],
            got=replies,
        )
    _save(stage, step.save, {**replies[-1], "sent": body})
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


async def ask(stage: Stage, step: AskStep) -> None:
    """Ask a query until every path of `save` leads somewhere. Raises: StepFailed."""
    deadline = time.monotonic() + seconds(step.within)
    body = with_instants(filled_in(step.with_, stage.known), datetime.now(UTC))
    while True:
        answer = await stage.asker.query(step.ask, body, deadline + POLL_SECONDS)
        try:
            _save(stage, step.save, answer)
        except StepFailed:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(POLL_SECONDS)
        else:
            stage.answers = [_as_answer(answer)]
            return


def _save(stage: Stage, paths: dict[str, str], answer: dict[str, Any]) -> None:
    stage.known |= {name: at_path(answer, path) for name, path in paths.items()}
