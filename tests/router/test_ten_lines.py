"""A policy of ten lines is a policy: the beginning of the first story goes by it, and each need adds to it."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.cli.main import parser
from deploy.policy.checking import check_text
from deploy.story.stack import merged_policy
from shared.events import ContextPackaged
from shared.policy import parse
from tests.architecture.tree import ROOT
from tests.router.in_memory_router import InMemoryRouter
from tests.router.samples import call

PAGE = (ROOT / "docs" / "how-to" / "write-a-policy.md").read_text("utf-8")
PIECES = [
    each for each in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if yaml.safe_load(each)
]
TEN_LINES, *NEEDS = PIECES


async def test_the_first_story_begins_on_ten_lines() -> None:
    """A call is offered and taken, what she says is written down, and whoever takes over sees it in the packet."""
    assert len(TEN_LINES.splitlines()) == 10
    router = InMemoryRouter(parse(TEN_LINES.encode()))
    conversation = await router.owned_by("piotr", call("started"), call("answered"))
    await router.does(
        "piotr", "record_fact", conversation=conversation, fact="locker", value="KRA01M"
    )
    await router.on_duty("ewa")
    await router.hands_on("piotr", "warm", brief="the locker will not open", queue="branch-krakow")
    await router.offers()
    transfer = await router.transfer()
    await router.does(
        "ewa", "accept_transfer", conversation=conversation, transfer_id=transfer.transfer_id
    )
    assert (await router.conversation()).ownership.owner == "ewa"
    packaged = (await router.last(ContextPackaged)).personal
    assert packaged is not None
    assert [each.value for each in packaged.packet.facts] == ["KRA01M"]


def test_each_need_adds_to_them() -> None:
    """Piece by piece of the page, laid over what stood before: nothing is said against any of them."""
    policy = TEN_LINES.encode()
    for piece in NEEDS:
        policy = merged_policy(policy, yaml.safe_load(piece))
        assert check_text(policy) == [], piece
    whole = parse(policy)
    assert (whole.agents["ola"].slots, whole.queues["hotline"].title) == (5, "Hotline")


@pytest.mark.parametrize("line", re.findall(r"^tellonce .*$", PAGE, re.MULTILINE))
def test_each_command_of_the_page_is_one(line: str) -> None:
    """The command line knows its verbs and options."""
    chosen: Any = parser().parse_args(shlex.split(line)[1:])
    assert callable(chosen.verb)


def test_the_policy_that_comes_along_leads_editors_to_the_schema() -> None:
    """By a path that is relative to its own file."""
    embedded = Path(ROOT / "deploy" / "embedded" / "policy.yaml")
    first = embedded.read_text("utf-8").splitlines()[0]
    named = first.removeprefix("# yaml-language-server: $schema=")
    assert (embedded.parent / named).resolve() == ROOT / "docs" / "reference" / "policy.schema.json"
