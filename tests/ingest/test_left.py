"""Deliveries of an account that left the policy are named where an operator looks, until somebody normalises them."""

from services.ingest.handlers.left import LeftAccounts
from shared import ensuring, streams, subjects
from shared.bus import connect
from shared.readiness import Trouble
from tests.support.servers import EmbeddedNats
from tests.support.waiting import eventually

TENANT = "movers"
ACCOUNTS = ["form/contact", "form/gone", "email/gone"]


async def test_deliveries_of_an_account_that_left_the_policy_are_named(
    ingest_nats: EmbeddedNats,
) -> None:
    """Those of one that is in it, or of which nothing waits, are not; and it is over once they were taken."""
    bus = await connect(ingest_nats.url, "test")
    consumers = streams.ingest_consumers(TENANT, ACCOUNTS, 4)
    configs = streams.stream_configs()
    await ensuring.ensure(bus, streams.WantedStreams(configs, consumers))
    for account in ("contact", "gone"):
        await bus.store(subjects.raw(TENANT, "form", account), b"{}")
    left = LeftAccounts(bus, lambda *account: account == (TENANT, "form", "contact"))

    async def ours() -> list[Trouble]:
        await left.look()
        return [each for each in left.troubles if each.about.startswith(f"{TENANT}/")]

    async def named() -> bool:
        return await ours() == [Trouble(code="account.left", about=f"{TENANT}/form/gone")]

    await eventually(named)
    name = streams.ingest_normalise(TENANT, "form", "gone")
    async for (delivery,) in bus.pull(streams.RAW, name, batch=1):
        await delivery.ack()
        break

    async def over() -> bool:
        return not await ours()

    await eventually(over)
    await bus.close()
