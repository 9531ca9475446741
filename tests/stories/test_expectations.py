"""An expectation about several answers counts them."""

from types import SimpleNamespace
from typing import cast

import pytest

from deploy.story.checks.expectations import check
from deploy.story.file.model import ExpectError, ExpectReply
from deploy.story.providers.doors import Answer
from deploy.story.session import Session

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
    session = cast("Session", SimpleNamespace(answers=answers))
    won = await check(session, ExpectReply(expect="reply", status=200, count=1))
    lost = await check(session, ExpectError(expect="error", code="callback.not_open", count=1))
    assert (won.code is None, lost.code is None) == (met, met)
