"""One answer per command: what was refused is refused alike, and only what was refused."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from shared import errors
from shared.commands import Command, Done, SignIn
from shared.errors import TellonceError
from shared.refusals import KeptRefusal, OneAnswer, refused_on
from tests.support.memory_refusals import MemoryRefusals

TENANT = "demo"
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DONE = Done(events=[], position=7)


def command(command_id: str = "c1", actor: str = "agent:piotr", at: datetime = NOON) -> SignIn:
    return SignIn(command_id=command_id, issued_at=at, actor=actor)


class Work:
    """What carrying a command out comes to, one after another; counts how often it was."""

    def __init__(self, *ends: TellonceError | Done) -> None:
        self.ends = list(ends)
        self.done = 0

    async def __call__(self) -> Done:
        end = self.ends[self.done]
        self.done += 1
        if isinstance(end, TellonceError):
            raise end
        return end


class Away(MemoryRefusals):
    """Cannot keep anything now."""

    async def keep(self, subject: str, refusal: KeptRefusal) -> None:
        raise errors.BusUnavailable()


async def problem(answer: OneAnswer, command: Command, work: Work) -> dict[str, object]:
    with pytest.raises(TellonceError) as refusal:
        await answer.to(TENANT, command, work)
    return refusal.value.problem()


async def test_a_refusal_is_told_again_word_for_word() -> None:
    """Also by a process that was started since, and although it would be carried out now."""
    kept = MemoryRefusals()
    work = Work(errors.OfferExpired("it is too late", offer_id="o1"), DONE)
    first = await problem(OneAnswer(kept), command(), work)
    assert first == errors.OfferExpired("it is too late", offer_id="o1").problem()
    assert await problem(OneAnswer(kept), command(), work) == first
    assert work.done == 1


async def test_what_is_of_a_moment_is_not_kept() -> None:
    """The ledger was away, a stream refused, a version was too old: the same command may be carried out later."""
    for error in (
        errors.LedgerUnavailable(),
        errors.LedgerConflict(retries=3),
        errors.JetStreamRefused(None, err_code=10077),
        errors.EventTypeUnknown(),
    ):
        answer, work = OneAnswer(MemoryRefusals()), Work(error, DONE)
        assert (await problem(answer, command(), work))["code"] == error.code
        assert await answer.to(TENANT, command(), work) == DONE


async def test_a_command_that_is_too_old_is_not_kept() -> None:
    """It will be too old for ever, and nobody may fill the store with old ids."""
    kept = MemoryRefusals()
    await problem(OneAnswer(kept), command(), Work(errors.CommandTooOld(command_id="c1")))
    assert kept.kept == {}


async def test_another_body_under_a_refused_id_is_a_mistake_of_the_caller() -> None:
    """As under the id of a command that was carried out; another agent's id is another command."""
    answer, work = OneAnswer(MemoryRefusals()), Work(errors.OfferExpired(), DONE)
    await problem(answer, command(), work)
    later = command(at=NOON.replace(hour=13))
    assert (await problem(answer, later, work))["code"] == "command.id_reused"
    assert await answer.to(TENANT, command(actor="agent:ewa"), work) == DONE


async def test_a_refusal_that_cannot_be_kept_is_not_told() -> None:
    """The caller learns that it was no answer, and asks again."""
    answer, work = OneAnswer(Away()), Work(errors.OfferExpired(), DONE)
    first = await problem(answer, command(), work)
    assert (first["code"], first["retryable"]) == ("bus.unavailable", True)


async def test_of_one_command_that_comes_twice_at_once_one_is_carried_out_at_a_time() -> None:
    """The second one waits, and gets the answer of the first."""
    answer, may_end = OneAnswer(MemoryRefusals()), asyncio.Event()
    begun: list[str] = []

    async def refused_at_last() -> Done:
        begun.append("first")
        await may_end.wait()
        raise errors.OfferExpired()

    async def carried_out() -> Done:
        begun.append("second")
        return DONE

    first = asyncio.create_task(answer.to(TENANT, command(), refused_at_last))
    second = asyncio.create_task(answer.to(TENANT, command(), carried_out))
    other = await answer.to(TENANT, command("c2"), carried_out)
    may_end.set()
    ends: Any = await asyncio.gather(first, second, return_exceptions=True)
    assert [getattr(each, "code", None) for each in ends] == ["offer.expired"] * 2
    assert (other, sorted(begun)) == (DONE, ["first", "second"])


async def test_a_refusal_of_a_newer_version_is_decided_anew() -> None:
    """This version has no word for it."""
    kept, sent = MemoryRefusals(), command()
    answer, work = OneAnswer(kept), Work(errors.OfferExpired(), DONE)
    await problem(answer, sent, work)
    place = refused_on(TENANT, sent)
    old = kept.kept[place]
    kept.kept[place] = KeptRefusal(sha256=old.sha256, code="offer.dreamt_of", message="x")
    assert await answer.to(TENANT, sent, work) == DONE
