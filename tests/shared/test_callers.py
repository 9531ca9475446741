"""An integration gives commands and asks queries as itself, and those alone that its policy gives it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from shared import metrics, serving, subjects
from shared.bus import Bus
from shared.callers import Callers
from shared.errors import PolicyInvalid
from shared.policies import Policies, load_all
from shared.policy import Integration, Policy
from shared.settings import Settings

RIGHTS = Integration(commands=("announce",), queries=("timeline",))
SHOP = Policy(
    tenant="shop",
    queues={},
    agents={},
    accounts={},
    integrations={"crm": RIGHTS, "idle": Integration()},
)
OTHER = Policy(tenant="other", queues={}, agents={}, accounts={})


async def told(tenant: str, body: bytes) -> dict[str, Any]:
    """Answer with who asked what."""
    given: Any = msgspec.json.decode(body) if body.startswith(b"{") else body.decode()
    return {"tenant": tenant, "given": given}


@pytest_asyncio.fixture
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    """The connection of a service that answers two commands and two queries."""
    async with serving.connected(Settings(nats_url=nats_url), "callers", asyncio.Event()) as here:
        callers = Callers(here, Policies(SHOP, OTHER), "callers")
        for verb in ("announce", "resolve"):
            await callers.command(verb, told)
        for query in ("timeline", "inbox"):
            await callers.query(query, told)
        await here.broker.start()
        yield here.bus


async def asks(bus: Bus, subject: str, integration: str, body: bytes) -> Any:
    """Return the answer, or the code of the refusal."""
    answer = msgspec.json.decode(await bus.request(subjects.asked_as(subject, integration), body))
    return answer["error"]["code"] if "error" in answer else answer


async def test_an_integration_acts_as_itself_whatever_it_states(bus: Bus) -> None:
    """Also where it names an agent, or nobody."""
    subject = subjects.command("shop", "announce")
    for stated in (b'{"actor": "agent:piotr", "n": 1}', b'{"n": 1}'):
        answer = await asks(bus, subject, "crm", stated)
        assert answer == {"tenant": "shop", "given": {"actor": "integration:crm", "n": 1}}


async def test_what_is_no_command_is_left_to_be_refused(bus: Bus) -> None:
    """As whoever else sends it."""
    answer = await asks(bus, subjects.command("shop", "announce"), "crm", b"[1]")
    assert answer == {"tenant": "shop", "given": "[1]"}


@pytest.mark.parametrize(
    ("tenant", "integration", "command", "query"),
    [
        ("shop", "crm", "resolve", "inbox"),
        ("shop", "idle", "announce", "timeline"),
        ("shop", "stranger", "announce", "timeline"),
        ("other", "crm", "announce", "timeline"),
    ],
)
async def test_what_its_policy_does_not_give_it_is_forbidden(
    bus: Bus, tenant: str, integration: str, command: str, query: str
) -> None:
    """Other commands and queries, everything for one with no rights or of no name, and for one of another tenant."""
    subject = subjects.command(tenant, command)
    assert await asks(bus, subject, integration, b"{}") == "command.forbidden"
    subject = subjects.query(tenant, query)
    assert await asks(bus, subject, integration, b"{}") == "query.forbidden"


async def test_it_asks_what_it_may(bus: Bus) -> None:
    """And a tenant that there is not is unknown to it, as to anybody."""
    answer = await asks(bus, subjects.query("shop", "timeline"), "crm", b'{"limit": 1}')
    assert answer == {"tenant": "shop", "given": {"limit": 1}}
    assert await asks(bus, subjects.query("none", "timeline"), "crm", b"{}") == "tenant.unknown"


async def test_what_it_calls_itself_is_counted_nowhere(bus: Bus) -> None:
    """Whoever asks chooses it: what is counted is the command and the query."""
    for name in ("crm", "whatever-1", "whatever-2"):
        await asks(bus, subjects.command("shop", "announce"), name, b"{}")
        await asks(bus, subjects.query("shop", "timeline"), name, b"{}")
    told = text_string_to_metric_families(metrics.exposition().decode())
    counted = {
        each.labels["request"] for it in told for each in it.samples if "request" in each.labels
    }
    assert {"announce", "timeline"} <= counted
    assert counted.isdisjoint({"crm", "whatever-1", "whatever-2"})


def test_a_right_to_what_there_is_not_is_a_slip(tmp_path: Any) -> None:
    """A command or query that is misspelt would be missed much later."""
    path = tmp_path / "shop.yaml"
    path.write_text(
        "tenant: shop\nqueues: {}\nagents: {}\naccounts: {}\nintegrations: {crm: {queries: [timelines]}}\n"
    )
    with pytest.raises(PolicyInvalid, match=r"shop\.yaml: integration crm: there is no timelines"):
        load_all(path)
