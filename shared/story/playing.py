"""Plays one story from its first step to the checks at its end."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from shared.story import telling
from shared.story.acting import act, ask
from shared.story.asking import Asker
from shared.story.balance import balance_of
from shared.story.closing import CLOSINGS
from shared.story.errors import StepFailed, StoryStackUnusable
from shared.story.expectations import check, is_of_an_answer
from shared.story.handed_over import handed_over
from shared.story.hindsight import look_back
from shared.story.ledger_copy import LedgerCopy
from shared.story.mail_sink import MailSink, mail_sink
from shared.story.model import (
    MAIL,
    AskStep,
    AsOfStep,
    CommandStep,
    DoorStep,
    Expect,
    ExpectError,
    ExpectReply,
    KillStep,
    RestartStep,
    Step,
    Story,
    TamperStep,
    TogetherStep,
    seconds,
)
from shared.story.references import built_in
from shared.story.report import Report
from shared.story.stack import Stack, mail_boxes_place, running_folder, stack_for
from shared.story.stage import Met, Stage, read_policy
from shared.story.tampering import tamper

BEGIN_SECONDS = 15.0
TELLING_VERBS = frozenset({"accept_offer", "accept_transfer", "attempt_callback"})


@dataclass(frozen=True, slots=True)
class Kills:
    """Processes to kill while the story plays, whatever it says.

    `service` and `at`: one process before one step. `seed` and `every`: a random one before every so many steps.
    """

    service: str | None = None
    at: int | None = None
    seed: int | None = None
    every: int = 3


async def play(story: Story, seed: int, kills: Kills, kept_in: Path | None = None) -> Report:
    """Return what was found. `kept_in`: where the data of its stack stays. Raises: StoryInvalid, StoryStackUnusable."""
    report, began = Report(story=story.name, seed=seed), time.monotonic()
    telling.say(f"{story.name}: {story.head.about}")
    running = running_folder(story)
    place = mail_boxes_place(story, running)
    async with mail_sink(*place) as sink, stack_for(story, sink.url, running, kept_in) as stack:
        telling.say(f"  the stack is ready: doors at {stack.addresses['ingest']}")
        stage = _stage(story, stack, sink, report)
        await stage.asker.open(stack.addresses["nats"])
        try:
            await _begin(stage)
            await _play_steps(stage, kills)
            await _close(stage)
        finally:
            await stage.chats.close()
            await stage.asker.close()
        telling.tell_end(report, time.monotonic() - began)
    return report


def _stage(story: Story, stack: Stack, sink: MailSink, report: Report) -> Stage:
    return Stage(
        story=story,
        stack=stack,
        asker=Asker(story.head.tenant),
        sink=sink,
        ledger=LedgerCopy(story.head.tenant),
        report=report,
        policy=read_policy(stack),
        known=dict(built_in(story.name, report.seed, datetime.now(UTC))),
    )


async def _begin(stage: Stage) -> None:
    """Leave out what is there already: the story is measured from here. Raises: StoryStackUnusable."""
    await stage.ledger.begin_here(stage.asker.bus)
    if stage.stack.own:
        return
    try:
        stage.balance_before = await balance_of(stage, time.monotonic() + BEGIN_SECONDS)
    except StepFailed as failed:
        raise StoryStackUnusable(f"ingest does not tell its balance: {failed}") from None


async def _play_steps(stage: Stage, kills: Kills) -> None:
    """Play until the end or the first step that cannot be done; expectations that fail stop nothing."""
    chance = random.Random(kills.seed)  # noqa: S311  a seed makes the kills repeatable
    steps = stage.story.steps
    for n, step in enumerate(steps, 1):
        await _kill_before(stage.stack, n, kills, chance)
        following = steps[n] if n < len(steps) else None
        try:
            await _play(stage, step, n, following)
        except StepFailed as failed:
            _failed(stage, n, step, failed)
            if not isinstance(step, Expect):
                return
        else:
            stage.report.step(n)


async def _play(stage: Stage, step: Step, n: int, following: Step | None) -> None:
    match step:
        case Expect():
            await _expect(stage, step, n)
            return
        case DoorStep() | CommandStep() | TogetherStep():
            await act(stage, step, str(n))
            _refusal_is_wanted(stage, following)
        case AskStep():
            await ask(stage, step)
        case AsOfStep():
            await look_back(stage, step)
        case KillStep():
            await stage.stack.kill(step.kill)
        case RestartStep():
            await _restart(stage, step)
        case TamperStep():
            await _tamper(stage, step)
    telling.tell_step(str(n), step, _ended(stage, step))
    await _tell_packet(stage, step)


async def _expect(stage: Stage, wanted: Expect, n: int) -> None:
    finding = await check(stage, wanted)
    met = finding.code is None
    shown = msgspec.to_builtins(wanted) if met else finding.wanted
    stage.report.expectation(n, wanted.expect, ok=met, wanted=shown, got=finding.got)
    if finding.code is not None:
        raise StepFailed(finding.code, "", wanted=finding.wanted, got=finding.got)
    if not is_of_an_answer(wanted):
        stage.met.append(Met(n, wanted))
    telling.tell_step(str(n), wanted, "ok")


def _refusal_is_wanted(stage: Stage, following: Step | None) -> None:
    """Raises: StepFailed (`step.refused`) for a refusal that the next step does not ask about."""
    if isinstance(following, ExpectError | ExpectReply):
        return
    for answer in stage.answers:
        if answer.refused:
            raise StepFailed("step.refused", "it was refused", wanted="ok", got=answer.text)


def _ended(stage: Stage, step: Step) -> str:
    """Say how a step ended; a refusal that the next step asks about is no failure."""
    if not isinstance(step, DoorStep | CommandStep | TogetherStep):
        return "ok"
    codes = sorted({answer.code for answer in stage.answers if answer.code is not None})
    return f"refused: {', '.join(codes)}" if codes else "ok"


def _failed(stage: Stage, n: int, step: Step, failed: StepFailed) -> None:
    stage.report.step(n, failed.code)
    telling.tell_step(str(n), step, f"FAILED  {failed.code}")
    telling.tell_difference(str(failed), failed.wanted, failed.got)


# -- the machines -----------------------------------------------------------------------------------


async def _kill_before(stack: Stack, n: int, kills: Kills, chance: random.Random) -> None:
    if kills.service is not None and kills.at == n:
        await stack.kill(kills.service)
        telling.say(f"        (kill -9 {kills.service})")
    if kills.seed is not None and n % kills.every == 0:
        name = chance.choice(sorted(await stack.pids()))
        await stack.kill(name)
        telling.say(f"        (kill -9 {name})")


async def _restart(stage: Stage, step: RestartStep) -> None:
    await stage.chats.close()
    await stage.asker.close()
    await stage.stack.stop()
    await asyncio.sleep(seconds(step.while_))
    await stage.stack.start()
    await stage.asker.open(stage.stack.addresses["nats"])


async def _tamper(stage: Stage, step: TamperStep) -> None:
    """Wait until history has everything, then change a row behind its back; or let a mail arrive again."""
    if step.tamper == MAIL:
        try:
            stage.sink.repeat_last()
        except IndexError:
            raise StepFailed("step.nothing_to_tamper", "no mail has arrived") from None
        return
    ledger = await stage.read_ledger()
    stage.asker.position = max(stage.asker.position, ledger.position)
    deadline = asyncio.get_running_loop().time() + seconds("15s")
    await stage.asker.query("position", {}, deadline)
    await tamper(stage.stack.addresses["postgres"], step.tamper)


# -- telling ----------------------------------------------------------------------------------------


async def _tell_packet(stage: Stage, step: Step) -> None:
    """Show what the person sees who has just accepted."""
    if not isinstance(step, CommandStep) or step.do not in TELLING_VERBS:
        return
    given = [each for each in handed_over(await stage.read_ledger()) if each.to == step.agent]
    if given and not stage.answers[-1].refused:
        telling.tell_packet(stage.person(step.agent), given[-1])


async def _close(stage: Stage) -> None:
    """Check what must be true at the end of every story; each check is a step of its own."""
    telling.say()
    for n, closing in enumerate(CLOSINGS, len(stage.story.steps) + 1):
        try:
            await closing.check(stage)
        except StepFailed as failed:
            stage.report.step(n, failed.code)
            _note(stage, n, closing.kind, failed)
        else:
            stage.report.step(n)
            stage.report.expectation(n, closing.kind, ok=True, wanted=None, got=None)
            telling.say(f"  {n:>4}  at the end: {closing.kind:<50} ok")


def _note(stage: Stage, n: int, kind: str, failed: StepFailed) -> None:
    stage.report.expectation(n, kind, ok=False, wanted=failed.wanted, got=failed.got)
    telling.say(f"  {n:>4}  at the end: {kind:<50} FAILED  {failed.code}")
    telling.tell_difference(str(failed), failed.wanted, failed.got)
