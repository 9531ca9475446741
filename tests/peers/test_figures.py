"""What the table says is what was measured."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.peers.figures import Figure, Side, Workload, alternate, asked, cpu_seconds, ratios
from tests.support.waiting import eventually

SPIN = "while True: pass"
SPIN_BELOW = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SPIN!r}])"


def test_a_ratio_is_of_one_round() -> None:
    """Ours over theirs as rates, so 2 is twice as quick; the rounds are never mixed."""
    ours = Figure("ours", seconds=[1.0, 2.0, 4.0])
    theirs = Figure("theirs", seconds=[2.0, 8.0, 2.0])
    assert ratios(ours, theirs) == [0.5, 2.0, 4.0]


def test_a_line_has_the_rate_the_ratios_and_the_cpu() -> None:
    """Ours has no ratio; a store that is quicker is shown as it is."""
    ours = Figure("ours", seconds=[0.01, 0.001, 0.002], cpu=[0.000_3, 0.000_1, 0.000_2])
    quick = Figure("quick", seconds=[0.005, 0.000_5, 0.000_5], cpu=[0.000_01] * 3)
    head, *lines = Workload("append", "events", [ours, quick]).lines()
    assert head == "append (events)"
    assert [line.split() for line in lines] == [
        ["ours", "500", "200"],
        ["quick", "2,000", "0.25", "0.50", "0.50", "10"],
    ]


@pytest.mark.parametrize(("wanted", "said"), [(2.0, "met"), (2.1, "MISSED")])
def test_a_goal_is_held_against_the_median(wanted: float, said: str) -> None:
    """One quick round does not meet it."""
    ours = Figure("ours", seconds=[1.0, 1.0, 1.0])
    theirs = Figure("theirs", seconds=[1.0, 2.0, 9.0])
    assert asked("it", wanted, ours, theirs) == f"it: asked {wanted:g}, is 2.00, {said}"


async def test_rounds_alternate_and_the_first_is_not_counted() -> None:
    """Whoever went last goes first; a share is made ready before, and divides what it took."""
    log: list[tuple[str, int]] = []

    def side(name: str) -> Side:
        def share(number: int) -> Callable[[], Awaitable[int]]:
            async def work() -> int:
                log.append((name, number))
                return 1_000_000_000

            return work

        return Side(name, [], share)

    found = await alternate("it", "things", 2, [side("a"), side("b")])
    assert log == [("b", 0), ("a", 0), ("a", 1), ("b", 1), ("b", 2), ("a", 2)]
    assert [len(figure.seconds) for figure in found.figures] == [2, 2]
    assert all(0 < seconds < 1e-6 for figure in found.figures for seconds in figure.seconds)
    assert found.of("b") is found.figures[1]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc")
@pytest.mark.parametrize("program", [SPIN, SPIN_BELOW])
async def test_the_cpu_of_a_server_and_of_what_it_started_is_counted(program: str) -> None:
    """Postgres works in processes of its own; who is not named is not counted."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, start_new_session=True
    )

    async def counted() -> bool:
        return cpu_seconds([child.pid]) - cpu_seconds([]) > 0.2

    try:
        await eventually(counted)
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        await child.wait()
