"""Who leaves without a word is noticed: what she met with is counted when her matter ends, and told once."""

import pytest

from services.router.domain.discontent import signs
from shared import policy
from shared.conversation import NEW_CONVERSATION
from shared.events import DiscontentNoticed
from shared.policy import Discontent
from tests.router.in_memory_router import InMemoryRouter
from tests.router.samples import POLICY_TEXT, call


async def suffers(router: InMemoryRouter) -> str:
    """She waits past every limit, and what Ewa promises her is broken; return the conversation."""
    await router.happens(call("started"))
    await router.passes(120)
    await router.on_duty("ewa")
    conversation = await router.taken("ewa")
    due = router.clock.time.replace(hour=23)
    said = {"conversation": conversation, "text": "We call you", "due": due.isoformat()}
    await router.does("ewa", "make_promise", **said)
    await router.passes((due - router.clock.time).total_seconds())
    await router.happens(call("ended", k=1, at=router.clock.time))
    return conversation


async def closes(router: InMemoryRouter, conversation: str) -> list[str]:
    wrapped = {"disposition": "solved", "summary": "told"}
    await router.does("ewa", "wrap_up", conversation=conversation, **wrapped)
    return await router.does("ewa", "resolve", conversation=conversation)


async def test_too_much_is_noticed_when_the_matter_ends(router: InMemoryRouter) -> None:
    """By kind and number, with the rule and the queue whose supervisor is told; once, however often it goes on."""
    conversation = await suffers(router)
    assert "discontent.noticed" in await closes(router, conversation)
    noticed = (await router.last(DiscontentNoticed)).open
    assert noticed.signs == {"promises": 1, "waits": 1}
    assert (noticed.queue, noticed.rule) == ("hotline", "discontent")
    assert noticed.policy_version == router.policy.version
    await router.does("ewa", "reopen", conversation=conversation, reason="one thing more")
    assert "discontent.noticed" not in await closes(router, conversation)


@pytest.mark.parametrize("rule", [b"discontent: null\n", b"discontent: {signs: 3}\n"])
async def test_the_policy_says_how_much_is_too_much(rule: bytes) -> None:
    """Or that nobody looks."""
    router = InMemoryRouter(policy.parse(POLICY_TEXT + rule))
    assert "discontent.noticed" not in await closes(router, await suffers(router))


async def test_one_thing_that_went_wrong_is_not_too_much(router: InMemoryRouter) -> None:
    """Two kinds, unless the policy says otherwise."""
    await router.happens(call("started"))
    await router.passes(120)
    await router.on_duty("ewa")
    conversation = await router.taken("ewa")
    await router.happens(call("ended", k=1, at=router.clock.time))
    assert "discontent.noticed" not in await closes(router, conversation)
    (it,) = await router.conversations()
    assert signs(Discontent(), it) == {"waits": 1}


def test_who_was_spared_shows_no_sign() -> None:
    """A matter in which nothing went wrong."""
    assert signs(Discontent(), NEW_CONVERSATION) == {}
