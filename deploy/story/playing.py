"""Plays one story from its first step to the checks at its end."""

import asyncio
import random
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from deploy.story import acting, asking, errors, ledger_copy, tampering
from deploy.story import stack as stacks
from deploy.story.checks import as_of_checks, balance, expectations
from deploy.story.checks.closing import CLOSINGS
from deploy.story.checks.handed_over import handed_over
from deploy.story.file import model, references
from deploy.story.file.durations import seconds
from deploy.story.providers import PROVIDERS
from deploy.story.providers.api_server import ApiServer, listening
from deploy.story.providers.mail_sink import MailSink, mail_sink
from deploy.story.session import Met, Session
from deploy.story.telling import printing
from deploy.story.telling.report import Report

BEGIN_SECONDS = 15.0
SEEDS = 10**9
TELLING_VERBS = frozenset({"accept_offer", "accept_transfer", "attempt_callback"})
REACHED = "reached"
"""How a callback ends by which somebody sees a packet."""


@dataclass(frozen=True, slots=True)
class Kills:
    """Processes to kill while the story plays, whatever it says.

    `service` and `at`: one process before one step. `seed` and `every`: a random one before every so many steps.
    """

    service: str | None = None
    at: int | None = None
    seed: int | None = None
    every: int = 3


async def play(
    story: model.Story,
    seed: int | None,
    kills: Kills,
    kept_in: Path | None = None,
    against: str | None = None,
) -> Report:
    """Return what was found. `kept_in`: where the data of its stack stays; `against`: doors of a stack elsewhere.

    `seed`: `None` for 1, or for a new one where the story may have been played on the same stack before.
    Raises: StoryInvalid, StoryStackUnusable.
    """
    began = time.monotonic()
    printing.say(f"{story.name}: {story.head.about}")
    running = stacks.running_stack(story, against)
    if seed is None:
        seed = 1 if running is None else secrets.randbelow(SEEDS)
    report = Report(story=story.name, seed=seed)
    async with (
        mail_sink(*stacks.mail_boxes_place(story, running)) as sink,
        listening(ApiServer(PROVIDERS), *stacks.providers_place(story, running)) as apis,
        stacks.stack_for(story, _outside(sink, apis), running, kept_in) as stack,
    ):
        printing.say(f"  the stack is ready: doors at {stack.addresses['ingest']}")
        session = _session(story, stack, sink, apis, report)
        await _open(session)
        try:
            await _begin(session)
            await _play_steps(session, kills)
            await _close(session)
        finally:
            await _disconnect(session)
        printing.tell_end(report, time.monotonic() - began)
    return report


def _outside(sink: MailSink, apis: ApiServer) -> Mapping[str, str]:
    return {stacks.SMTP_URL: sink.url, stacks.PROVIDERS_URL: apis.url}


def _session(
    story: model.Story, stack: stacks.Stack, sink: MailSink, apis: ApiServer, report: Report
) -> Session:
    known = dict(references.built_in(story.name, report.seed, datetime.now(UTC)))
    policies = {each.tenant: each for each in stack.policies()}

    def of(tenant: str) -> Session:
        return Session(
            story=story,
            stack=stack,
            asker=asking.Asker(tenant),
            sink=sink,
            apis=apis,
            ledger=ledger_copy.LedgerCopy(tenant),
            report=report,
            policy=policies[tenant],
            known=known,
        )

    own = of(story.head.tenant)
    own.others |= {tenant: of(tenant) for tenant in story.head.tenants}
    return own


async def _open(session: Session) -> None:
    """Connect. Raises: StoryStackUnusable."""
    for each in session.all:
        await each.asker.open(session.stack.bus_address)


async def _disconnect(session: Session) -> None:
    for each in session.all:
        await each.chats.close()
        await each.asker.close()


async def _begin(session: Session) -> None:
    """Leave out what is there already: the story is measured from here. Raises: StoryStackUnusable."""
    for each in session.all:
        await each.ledger.begin_here(each.asker.bus)
    if session.stack.own:
        return
    try:
        session.balance_before = await balance.balance_of(session, time.monotonic() + BEGIN_SECONDS)
    except errors.StepFailed as failed:
        raise errors.StoryStackUnusable(f"ingest does not tell its balance: {failed}") from None


async def _play_steps(session: Session, kills: Kills) -> None:
    """Play until the end or the first step that cannot be done; expectations that fail stop nothing."""
    chance = random.Random(kills.seed)  # noqa: S311  a seed makes the kills repeatable
    steps = session.story.steps
    for n, step in enumerate(steps, 1):
        await _kill_before(session.stack, n, kills, chance)
        following = steps[n] if n < len(steps) else None
        try:
            await _play(session.of(step.tenant), step, n, following)
        except errors.StepFailed as failed:
            _failed(session, n, step, failed)
            if not isinstance(step, model.Expect):
                return
        else:
            session.report.step(n)


async def _play(session: Session, step: model.Step, n: int, following: model.Step | None) -> None:
    match step:
        case model.Expect():
            await _expect(session, step, n)
            return
        case model.DoorStep() | model.CommandStep() | model.TogetherStep() | model.ReceiptStep():
            await acting.act(session, step, str(n))
            _refusal_is_wanted(session, following)
        case model.AskStep():
            await acting.ask(session, step)
        case model.GetStep():
            await acting.get(session, step)
            _refusal_is_wanted(session, following)
        case model.ImportStep():
            await acting.bring_in(session, step)
        case model.AsOfStep():
            await as_of_checks.look_back(session, step)
        case model.KillStep():
            await session.stack.kill(step.kill)
        case model.RestartStep():
            await _restart(session, step)
        case model.TamperStep():
            await _tamper(session, step)
    printing.tell_step(str(n), step, _ended(session, step))
    await _tell_packet(session, step)


async def _expect(session: Session, wanted: model.Expect, n: int) -> None:
    finding = await expectations.check(session, wanted)
    met = finding.code is None
    shown = msgspec.to_builtins(wanted) if met else finding.wanted
    session.report.expectation(n, wanted.expect, ok=met, wanted=shown, got=finding.got)
    if finding.code is not None:
        raise errors.StepFailed(finding.code, "", wanted=finding.wanted, got=finding.got)
    if not expectations.is_of_an_answer(wanted):
        session.met.append(Met(n, wanted))
    printing.tell_step(str(n), wanted, "ok")


def _refusal_is_wanted(session: Session, following: model.Step | None) -> None:
    """Raises: StepFailed (`step.refused`) for a refusal that the next step does not ask about."""
    if isinstance(following, model.ExpectError | model.ExpectReply):
        return
    for answer in session.answers:
        if answer.refused:
            raise errors.StepFailed("step.refused", "it was refused", wanted="ok", got=answer.text)


def _ended(session: Session, step: model.Step) -> str:
    """Say how a step ended; a refusal that the next step asks about is no failure."""
    if not isinstance(
        step, model.DoorStep | model.CommandStep | model.TogetherStep | model.ReceiptStep
    ):
        return "ok"
    codes = sorted({answer.code for answer in session.answers if answer.code is not None})
    return f"refused: {', '.join(codes)}" if codes else "ok"


def _failed(session: Session, n: int, step: model.Step, failed: errors.StepFailed) -> None:
    session.report.step(n, failed.code)
    printing.tell_step(str(n), step, f"FAILED  {failed.code}")
    printing.tell_difference(str(failed), failed.wanted, failed.got)


# -- the machines -----------------------------------------------------------------------------------


async def _kill_before(stack: stacks.Stack, n: int, kills: Kills, chance: random.Random) -> None:
    if kills.service is not None and kills.at == n:
        await stack.kill(kills.service)
        printing.say(f"        (kill -9 {kills.service})")
    if kills.seed is not None and n % kills.every == 0:
        name = chance.choice(sorted(await stack.pids()))
        await stack.kill(name)
        printing.say(f"        (kill -9 {name})")


async def _restart(session: Session, step: model.RestartStep) -> None:
    await _disconnect(session)
    await session.stack.stop()
    await asyncio.sleep(seconds(step.while_))
    await session.stack.start()
    await _open(session)


async def _tamper(session: Session, step: model.TamperStep) -> None:
    """Wait until history has everything, then change a row behind its back; or let a mail arrive again."""
    if step.tamper == model.MAIL:
        try:
            session.sink.repeat_last()
        except IndexError:
            raise errors.StepFailed("step.nothing_to_tamper", "no mail has arrived") from None
        return
    ledger = await session.read_ledger()
    session.asker.position = max(session.asker.position, ledger.position)
    deadline = asyncio.get_running_loop().time() + seconds("15s")
    await session.asker.query("position", {}, deadline)
    await tampering.tamper(session.stack.addresses["postgres"], step.tamper)


# -- telling ----------------------------------------------------------------------------------------


async def _tell_packet(session: Session, step: model.Step) -> None:
    """Show what the person sees who has just accepted."""
    if not isinstance(step, model.CommandStep) or step.do not in TELLING_VERBS:
        return
    if step.with_.get("outcome", REACHED) != REACHED:
        return
    given = [each for each in handed_over(await session.read_ledger()) if each.to == step.agent]
    if given and not session.answers[-1].refused:
        printing.tell_packet(session.person(step.agent), given[-1])


async def _close(session: Session) -> None:
    """Check what must be true at the end of every story; each check is a step of its own."""
    printing.say()
    for n, closing in enumerate(CLOSINGS, len(session.story.steps) + 1):
        try:
            for each in session.all if closing.of_each else [session]:
                await closing.check(each)
        except errors.StepFailed as failed:
            session.report.step(n, failed.code)
            _note(session, n, closing.kind, failed)
        else:
            session.report.step(n)
            session.report.expectation(n, closing.kind, ok=True, wanted=None, got=None)
            printing.say(f"  {n:>4}  at the end: {closing.kind:<50} ok")


def _note(session: Session, n: int, kind: str, failed: errors.StepFailed) -> None:
    session.report.expectation(n, kind, ok=False, wanted=failed.wanted, got=failed.got)
    printing.say(f"  {n:>4}  at the end: {kind:<50} FAILED  {failed.code}")
    printing.tell_difference(str(failed), failed.wanted, failed.got)
