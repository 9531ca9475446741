"""A stack with several shops in a folder of policies: their doors, their agents, and what they ask."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import msgspec
import yaml

from deploy.embedded.stack import EmbeddedStack
from deploy.story.providers import provider_of
from deploy.story.providers.doors import door_of, make_delivery
from shared import subjects
from shared.bus import Bus
from shared.secret_values import load_secrets
from shared.settings import Settings
from tests.support.waiting import eventually

TAKEN, UNKNOWN = "taken", "tenant.unknown"
FORM, CALL = "form/contact", "twilio_voice/hotline"
EMBEDDED = Path(Settings().policy)
KEYS = {"demo": "LOOKUP_KEY", "second": "SECOND_LOOKUP_KEY"}
_numbers = count(1)


class Shops:
    """The doors and the bus of a running stack."""

    def __init__(self, stack: EmbeddedStack, bus: Bus) -> None:
        self.stack = stack
        self.bus = bus

    async def asks(self, tenant: str, query: str, /, **body: Any) -> dict[str, Any]:
        """Return history's answer, or the refusal."""
        reply = await self.bus.request(subjects.query(tenant, query), msgspec.json.encode(body))
        answer: dict[str, Any] = msgspec.json.decode(reply)
        return answer

    async def waiting(self, tenant: str) -> int:
        """Return how many conversations wait in the hotline of a tenant."""
        answer = await self.asks(tenant, "inbox", queue="hotline")
        return len(answer.get("waiting", []))

    async def does(self, tenant: str, actor: str, verb: str, /, **body: Any) -> dict[str, Any]:
        """Send a command; return its reply, or the refusal."""
        now = datetime.now(UTC).isoformat()
        given = {"command_id": f"shops-{next(_numbers)}", "issued_at": now, "actor": actor, **body}
        subject = subjects.command(tenant, verb)
        answer: dict[str, Any] = msgspec.json.decode(
            await self.bus.request(subject, msgspec.json.encode(given))
        )
        return answer

    async def delivers(self, tenant: str, account: str, content: Any) -> str:
        """Deliver to a door; return the code with which it was refused, TAKEN when it was not."""
        rules = yaml.safe_load(EMBEDDED.read_bytes())["accounts"][account]
        key = load_secrets(Settings())[rules["secrets"]["signing"]]
        door = door_of(self.stack.addresses["ingest"], "", tenant, account)
        made = make_delivery(provider_of(account), door, content, key, {})
        async with httpx.AsyncClient() as http:
            answer = await http.post(made.url, headers=made.headers, content=made.body)
        return TAKEN if answer.is_success else str(answer.json()["code"])

    async def writes(self, tenant: str, number: int) -> str:
        """Send the form number so and so; as `delivers`."""
        content = {"id": f"form-{number}", "message": "hello", "email": f"c{number}@mail.example"}
        return await self.delivers(tenant, FORM, content)

    async def until_answered(self, tenant: str, number: int, wanted: str) -> None:
        """Deliver until the door says so."""
        said: list[str] = []

        async def there() -> bool:
            said.append(await self.writes(tenant, number))
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
