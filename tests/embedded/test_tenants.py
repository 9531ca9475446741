"""Tenants come, change and leave while a stack runs, and nobody starts anything again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import yaml

from deploy.embedded.stack import EmbeddedStack, Plan
from deploy.embedded.status import examine
from deploy.story.providers import provider_of
from deploy.story.providers.doors import door_of, make_delivery
from shared import subjects
from shared.bus import Bus, connect
from shared.settings import Settings, load_secrets
from tests.support.waiting import eventually

TAKEN, UNKNOWN = "taken", "tenant.unknown"
DOOR = "form/contact"
EMBEDDED = Path(Settings().policy)
KEYS = {"demo": "LOOKUP_KEY", "second": "SECOND_LOOKUP_KEY"}


class Shops:
    """The folder of policies of a running stack, its doors and its bus."""

    def __init__(self, folder: Path, stack: EmbeddedStack, bus: Bus) -> None:
        self.folder = folder
        self.stack = stack
        self.bus = bus

    async def asks(self, tenant: str, query: str, **body: Any) -> dict[str, Any]:
        """Return history's answer, or the refusal."""
        reply = await self.bus.request(subjects.query(tenant, query), msgspec.json.encode(body))
        answer: dict[str, Any] = msgspec.json.decode(reply)
        return answer

    async def waiting(self, tenant: str) -> int:
        """Return how many conversations wait in the hotline of a tenant."""
        answer = await self.asks(tenant, "inbox", queue="hotline")
        return len(answer.get("waiting", []))

    async def delivers(self, tenant: str, number: int) -> str:
        """Send a form; return the code with which it was refused, "taken" when it was not."""
        key = load_secrets(Settings())["FORM_SIGNING_KEY"]
        door = door_of(self.stack.addresses["ingest"], "", tenant, DOOR)
        content = {"id": f"form-{number}", "message": "hello", "email": f"c{number}@mail.example"}
        made = make_delivery(provider_of(DOOR), door, content, key, {})
        async with httpx.AsyncClient() as http:
            answer = await http.post(made.url, headers=made.headers, content=made.body)
        return TAKEN if answer.is_success else str(answer.json()["code"])

    async def until_answered(self, tenant: str, number: int, wanted: str) -> None:
        """Deliver until the door says so."""
        said: list[str] = []

        async def there() -> bool:
            said.append(await self.delivers(tenant, number))
            return said[-1] == wanted

        try:
            await eventually(there)
        except AssertionError as error:
            raise AssertionError(f"{wanted} was awaited, and {set(said)} was said") from error

    async def until_waiting(self, tenant: str, count: int) -> None:
        """Wait until so many wait."""

        async def there() -> bool:
            return await self.waiting(tenant) == count

        await eventually(there)


def put(folder: Path, tenant: str, change: Callable[[dict[str, Any]], None] | None = None) -> None:
    """Write the file of a tenant whose policy is the embedded one."""
    policy = yaml.safe_load(EMBEDDED.read_bytes())
    policy |= {"tenant": tenant, "lookup_secret": KEYS[tenant]}
    if change is not None:
        change(policy)
    (folder / f"{tenant}.yaml").write_text(yaml.safe_dump(policy))


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
        bus = await connect(stack.addresses["nats"], "tests")
        shops, pids = Shops(folder, stack, bus), dict(stack.status().pids)
        try:
            assert await shops.delivers("second", 1) == UNKNOWN
            put(folder, "second")
            await shops.until_answered("second", 1, TAKEN)
            await shops.until_waiting("second", 1)
            assert await shops.waiting("demo") == 0

            (folder / "demo.yaml").write_text("tenant: [")

            async def told() -> bool:
                return any("policy.invalid" in each for each in await troubles(data))

            await eventually(told)
            assert await shops.delivers("demo", 2) == TAKEN
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
