"""What becomes of a message that cannot be handled, and of those behind it."""

import pytest

from shared.arrivals import PARKED_AFTER_FAILURES, ArrivedMessage, Failed, Patience

FLOOD = 50


async def test_poison_of_one_tenant_takes_no_time_of_the_others() -> None:
    """Only its first message is tried again; another tenant's is still given every try, and what is good one."""
    tried: list[int] = []
    parked: list[Failed] = []

    async def handle(arrived: ArrivedMessage) -> None:
        tried.append(arrived.sequence)
        if arrived.body == b"poison":
            raise KeyError("broken")

    async def park(failed: Failed) -> None:
        parked.append(failed)

    patience = Patience("router-contacts-0", handle, park)

    async def take(tenant: str, sequence: int, body: bytes) -> int:
        """Return how often a message was handled until it was done or parked."""
        before, arrived = len(tried), ArrivedMessage(f"contact.0.{tenant}.x.y", body, 1, sequence)
        for _ in range(PARKED_AFTER_FAILURES - 1):
            try:
                await patience.take(arrived)
                break
            except KeyError:
                continue
        else:
            await patience.take(arrived)
        return len(tried) - before

    tries = [await take("loud", sequence, b"poison") for sequence in range(FLOOD)]
    assert tries == [PARKED_AFTER_FAILURES, *([1] * (FLOOD - 1))]
    assert await take("quiet", FLOOD, b"good") == 1
    assert await take("quiet", FLOOD + 1, b"poison") == PARKED_AFTER_FAILURES
    assert [each.failures for each in parked[:2]] == [PARKED_AFTER_FAILURES, 1]


@pytest.mark.parametrize("subject", ["screen.x", "x"])
def test_a_subject_without_a_tenant_has_none(subject: str) -> None:
    """Such a message is nobody's."""
    assert Failed("c", ArrivedMessage(subject, b"", 1, 1), "KeyError", 1).tenant == ""
