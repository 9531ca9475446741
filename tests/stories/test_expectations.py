"""An expectation about several answers counts them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from shared.story.doors import Answer
from shared.story.expectations import check
from shared.story.model import ExpectError, ExpectReply
from shared.story.stage import Stage

TAKEN = Answer(200, "{}", None, {})
REFUSED = Answer(400, "{}", "callback.not_open", {})


@pytest.mark.parametrize(
    ("answers", "met"),
    [
        ([TAKEN, REFUSED], True),
        ([REFUSED, TAKEN], True),
        ([TAKEN, TAKEN], False),
        ([REFUSED, REFUSED], False),
    ],
    ids=["first wins", "second wins", "both win", "nobody wins"],
)
async def test_of_two_at_once_exactly_one_may_win(answers: list[Answer], met: bool) -> None:
    """Both ways to say it notice two winners, and none."""
    stage = cast("Stage", SimpleNamespace(answers=answers))
    won = await check(stage, ExpectReply(expect="reply", status=200, count=1))
    lost = await check(stage, ExpectError(expect="error", code="callback.not_open", count=1))
    assert (won.code is None, lost.code is None) == (met, met)
