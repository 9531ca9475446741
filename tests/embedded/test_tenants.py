"""Tenants come, change and leave while a stack runs, and nobody starts anything again."""

from pathlib import Path

from deploy.embedded.stack import EmbeddedStack, Plan
from deploy.embedded.status import examine
from shared.bus import connect
from tests.embedded.shops import TAKEN, UNKNOWN, Shops, put
from tests.support.waiting import eventually


async def troubles(data: Path) -> set[str]:
    """Return what any service says is wrong."""
    found = await examine(data)
    return {each for some in found.troubles.values() for each in some}


async def test_a_tenant_comes_changes_and_leaves_while_the_stack_runs(
    data: Path, tmp_path: Path
) -> None:
    """Her doors open and her deliveries are decided; gone, they answer 404; back, she goes on; no process ended."""
    folder = tmp_path / "policies"
    folder.mkdir()
    put(folder, "demo")
    plan = Plan(folder=data, environment={"TELLONCE_POLICY": str(folder)})
    async with EmbeddedStack(plan) as stack:
        bus = await connect(stack.bus_address(), "tests")
        shops, pids = Shops(stack, bus), dict(stack.status().pids)
        try:
            assert await shops.writes("second", 1) == UNKNOWN
            put(folder, "second")
            await shops.until_answered("second", 1, TAKEN)
            await shops.until_waiting("second", 1)
            assert await shops.waiting("demo") == 0

            (folder / "demo.yaml").write_text("tenant: [")

            async def told() -> bool:
                return any("policy.invalid" in each for each in await troubles(data))

            await eventually(told)
            assert await shops.writes("demo", 2) == TAKEN
            await shops.until_waiting("demo", 1)

            (folder / "second.yaml").unlink()
            await shops.until_answered("second", 3, UNKNOWN)

            async def refused() -> bool:
                answer = await shops.asks("second", "inbox", queue="hotline")
                return "error" in answer and answer["error"]["code"] == UNKNOWN

            await eventually(refused)

            put(folder, "demo")
            put(folder, "second")
            await shops.until_answered("second", 3, TAKEN)
            await shops.until_waiting("second", 2)

            async def well() -> bool:
                return not await troubles(data)

            await eventually(well)
            assert dict(stack.status().pids) == pids
        finally:
            await bus.close()
