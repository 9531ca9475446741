"""What must hold at the end of a day: a good day passes, and each thing that may go wrong is found."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.events import AgentSignedIn
from tests.faults.test_checking import a_good_day
from tests.load.minutes import MIB, Look
from tests.load.verdicts import (
    GROWTH_MAX,
    MEMORY_LEAST_SECONDS,
    SERVERS_MAX_BYTES,
    UNSEEN_MISSED_BY,
    UNSEEN_SECONDS,
    WARM_SECONDS,
    Ended,
    grown,
    halves,
    longest_unseen,
    verdicts,
)
from tests.load.waiting import Presence, Wait, covered, unseen_seconds, waits
from tests.router.in_memory_router import InMemoryRouter
from tests.router.samples import NOON, a_policy, message

EVERY = 10.0
DAY_SECONDS = WARM_SECONDS + MEMORY_LEAST_SECONDS
LATER = NOON + timedelta(hours=1)
LONG = UNSEEN_SECONDS * UNSEEN_MISSED_BY + 1


def looks(
    of: Callable[[float], float], seconds: float = DAY_SECONDS, program: str = "router"
) -> list[Look]:
    """Return looks at a day on which a program takes so many MiB, by the part of the day that is over."""
    at = [number * EVERY for number in range(int(seconds / EVERY) + 1)]
    return [Look(each, 0, 0.0, {program: int(of(each / seconds) * MIB)}) for each in at]


async def a_good_end() -> Ended:
    """Return the end of a day on which everything went well."""
    return Ended(await a_good_day(), looks(lambda _: 100), {}, NOON + timedelta(minutes=1))


async def test_a_good_day_holds() -> None:
    """Every rule passes what is as it must be."""
    assert verdicts(await a_good_end()) == []


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ({"untaken": ["email/shop m2x"]}, "not taken: email/shop m2x"),
        ({"undecided": ["m3x"]}, "never decided: m3x"),
        ({"busy": ["router-contacts-7"]}, "has something to do at the end: router-contacts-7"),
        ({"looks": looks(lambda part: 100 + 60 * part)}, "the memory of router grows"),
    ],
)
async def test_what_went_wrong_is_found(damage: dict[str, object], said: str) -> None:
    """Each damage is named, and alone."""
    found = verdicts(replace(await a_good_end(), **damage))  # type: ignore[arg-type]
    assert len(found) == 1
    assert found[0].startswith(said)


async def test_what_a_ledger_must_hold_is_asked_of_a_day_as_well() -> None:
    """A delivery that was acknowledged and does not stand in the ledger is lost."""
    ended = await a_good_end()
    ended.observed.acknowledged["m99x"] = NOON
    assert any("m99x" in each and each.startswith("I1") for each in verdicts(ended))


# -- memory ----------------------------------------------------------------------------------------------


def test_memory_may_grow_for_ten_minutes_and_no_longer() -> None:
    """Or until half of the day has come. Of what is left, the halves are compared."""
    warm = WARM_SECONDS / DAY_SECONDS
    assert grown(looks(lambda part: 50 + 150 * min(part, warm)), 0.0) == []
    assert grown(looks(lambda part: 50 + 150 * part), 0.0) != []
    long = 3 * DAY_SECONDS
    assert grown(looks(lambda part: 50 + 150 * min(part, 0.5), long), long / 2) == []
    assert grown(looks(lambda part: 50 + 150 * min(part, 0.5), long), long / 10) != []


def test_a_little_more_memory_is_none() -> None:
    """Up to the share of GROWTH_MAX, and of a small program up to some MiB."""
    assert grown(looks(lambda part: 200 * (1 + GROWTH_MAX * 0.9 * (part > 0.6))), 0.0) == []
    assert grown(looks(lambda part: 200 * (1 + GROWTH_MAX * 1.2 * (part > 0.6))), 0.0) != []
    assert grown(looks(lambda part: 10 + 5 * (part > 0.6)), 0.0) == []


@pytest.mark.parametrize("server", SERVERS_MAX_BYTES)
def test_a_server_may_grow_up_to_what_it_is_given(server: str) -> None:
    """It keeps something of every contact."""
    given = SERVERS_MAX_BYTES[server] / MIB
    assert grown(looks(lambda part: given * (0.2 + 0.7 * part), program=server), 0.0) == []
    assert grown(looks(lambda part: given * (0.2 + 1.2 * part), program=server), 0.0) != []


def test_a_short_day_says_nothing_of_memory() -> None:
    """What a program takes while it warms up is no growth; the figures are there all the same."""
    short = looks(lambda part: 50 + 150 * part, WARM_SECONDS / 2)
    assert grown(short, 0.0) == []
    assert halves(short, 0.0)["router"] == pytest.approx((87.5 * MIB, 162.5 * MIB), rel=0.05)


# -- who waits -------------------------------------------------------------------------------------------


def a_wait(*asked: float, until: float | None = LONG + 60) -> Wait:
    """Return a wait at the hotline since noon. `asked`: seconds after it when somebody was asked or told."""
    end = None if until is None else NOON + timedelta(seconds=until)
    moments = tuple(NOON + timedelta(seconds=each) for each in asked)
    return Wait("c1", "hotline", NOON, end, moments)


def there(*hours: tuple[float, float]) -> dict[str, list[Presence]]:
    """Return that Piotr of the hotline is there between these hours after noon."""
    return {
        "piotr": [
            Presence(NOON + timedelta(hours=hour), available)
            for span in hours
            for hour, available in zip(span, (True, False), strict=True)
        ]
    }


ALL_DAY = there((-3, 3))


@pytest.mark.parametrize(
    ("wait", "present", "seconds"),
    [
        (a_wait(5), ALL_DAY, 5),  # asked after five seconds
        (a_wait(), ALL_DAY, LONG + 60),  # never asked
        (a_wait(until=None), ALL_DAY, 3_600),  # never asked, and still waiting
        (a_wait(-5, 50), ALL_DAY, 50),  # asked of an earlier wait
        (a_wait(), {}, 0),  # nobody there
        (a_wait(5, until=None), there((0.5, 3)), 1_800),  # told when nobody was there
        (a_wait(1_860, until=None), there((0.5, 3)), 60),  # asked when she had come
    ],
)
def test_a_wait_is_unseen_until_somebody_who_is_there_is_asked(
    wait: Wait, present: dict[str, list[Presence]], seconds: float
) -> None:
    """And only as long as there is somebody."""
    assert unseen_seconds(wait, present, a_policy(), LATER) == pytest.approx(seconds)


def test_two_who_are_there_at_once_count_once() -> None:
    """One second is one, however many look at it."""
    piotr, ewa = there((0, 1))["piotr"], there((0.5, 2))["piotr"]
    until = NOON + timedelta(hours=3)
    assert covered(NOON, until, [piotr, ewa]) == pytest.approx(7_200)
    assert covered(NOON, until, []) == 0


async def test_a_customer_whom_nobody_is_offered_waits_unseen() -> None:
    """The ledger of the real rules tells it: she is offered at once, or too late, or never."""

    async def day(seconds: float, *, offered: bool) -> Ended:
        router = InMemoryRouter()
        await router.does("piotr", "sign_in")
        await router.happens(message("m1x where is it?"))
        await router.passes(seconds)
        if offered:
            await router.dispatch()
        ended = await a_good_end()
        ended.observed.recorded = await router.recorded()
        return replace(ended, end=router.clock.now())

    assert longest_unseen(await day(0, offered=True)) == 0
    assert longest_unseen(await day(LONG, offered=True)) == pytest.approx(LONG)
    unseen = await day(LONG, offered=False)
    assert any(each.startswith("unseen for") for each in verdicts(unseen))


async def test_a_wait_ends_when_somebody_takes_the_matter() -> None:
    """From the queue to its owner."""
    router = InMemoryRouter()
    await router.owned_by("piotr", message("m1x where is it?"))
    recorded = await router.recorded()
    assert any(isinstance(each.event, AgentSignedIn) for each in recorded)
    (wait,) = waits(recorded, {})
    assert wait.queue == "hotline"
    assert wait.until is not None
    assert datetime.now(UTC) > wait.until
