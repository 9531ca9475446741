"""Taking a contact in asks the ledger little: nothing twice, and side by side what does not wait for anything."""

import asyncio

import pytest

from shared.ledger import Recorded
from tests.router.in_memory_router import InMemoryRouter
from tests.router.samples import call, form, mail, phone


async def test_no_aggregate_is_read_twice_for_a_contact(
    router: InMemoryRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it was told before, and what is decided, is seen in the same reading."""
    read, asked = router.ledger.read, list[str]()

    async def noted(tenant: str, aggregate: str, *, after: int = 0) -> list[Recorded]:
        asked.append(aggregate)
        return await read(tenant, aggregate, after=after)

    monkeypatch.setattr(router.ledger, "read", noted)
    claimed = form("Where is it?", handles=[mail("anna@mail.example", "claimed")])
    for event in (call("started"), call("menu", digits="2", k=1), claimed):
        asked.clear()
        await router.intake.take(event)
        assert asked
        assert len(asked) == len(set(asked))


async def test_what_does_not_wait_for_anything_is_read_side_by_side(
    router: InMemoryRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is behind her two handles, and where the contact may have been told, is one round trip."""
    read, rounds, under_way = router.ledger.read, list[int](), 0

    async def slow(tenant: str, aggregate: str, *, after: int = 0) -> list[Recorded]:
        nonlocal under_way
        under_way += 1
        await others()
        if under_way:
            rounds.append(under_way)
        under_way = 0
        return await read(tenant, aggregate, after=after)

    async def others() -> None:
        """Let everybody else begin who can."""
        turn = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(turn.set_result, None)
        await turn

    monkeypatch.setattr(router.ledger, "read", slow)
    handles = [mail("anna@mail.example"), phone("+48601234567")]
    await router.intake.take(form("Where is my parcel?", handles=handles))
    assert len(rounds) == 1
    assert rounds[0] > len(handles)
