"""What an orchestrator sees of the real services by HTTP: well, frozen, and without what they read."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from deploy.embedded import probes, wire
from deploy.embedded.stack import EmbeddedStack, Plan
from deploy.story.providers import PROVIDERS
from deploy.story.providers.doors import door_of, make_delivery
from services.ingest.channels import CHANNELS
from shared import SERVICES, policy
from shared.secret_values import load_secrets
from shared.settings import Settings
from tests.support.frozen import frozen
from tests.support.waiting import eventually

CONSUMER = "CONTACTS.router-contacts-7"
CUSTOMERS = 20
COUNTED: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("tellonce_door_answers_total", {"channel": "form", "outcome": "stored"}),
    ("tellonce_door_answer_seconds_count", {"channel": "form"}),
    ("tellonce_deliveries_total", {"channel": "form", "outcome": "published"}),
    ("tellonce_balance", {"account": "form/contact", "fate": "received"}),
    ("tellonce_decided_seconds_count", {"channel": "form"}),
    ("tellonce_messages_total", {"work": "router-written", "outcome": "done"}),
    ("tellonce_handling_seconds_count", {"work": "router-written"}),
    ("tellonce_events_total", {"tenant": "demo", "type": "conversation.opened"}),
    ("tellonce_waiting", {"tenant": "demo", "group": "queue-hotline"}),
)
"""What as many forms are counted as."""
COUNTED_SECONDS = 90.0
"""A tally that comes too early is made again, after up to half a minute."""
ACCEPTED = 'tellonce_balance{account="form/contact",fate="accepted",tenant="demo"}'


async def test_probes_see_a_frozen_process_and_a_consumer_that_is_gone(data: Path) -> None:
    """Frozen it answers nothing; without its consumer it ends, and the next one is ready where it stood."""
    async with EmbeddedStack(Plan(folder=data)) as stack:
        monitors, pid = stack.status().monitors, stack.status().pids["router"]

        async def status(service: str, path: str) -> int:
            return (await probes.http_get(monitors[service], path))[0]

        for service in SERVICES:
            assert await status(service, "/livez") == 200
            assert await status(service, "/readyz") == 200
            _, shown = await probes.http_get(monitors[service], "/metrics")
            assert b"\ntellonce_ready 1.0\n" in shown
        with frozen(pid):
            assert await status("router", "/livez") == 0
            assert await status("notify", "/livez") == 200
        bus = stack.bus_address("bootstrap")
        gone = await wire.request(bus, f"$JS.API.CONSUMER.DELETE.{CONSUMER}", timeout_seconds=5)
        assert json.loads(gone)["success"]

        async def another_is_ready() -> bool:
            replaced = stack.status().pids["router"] != pid
            return replaced and await status("router", "/readyz") == 200

        await eventually(another_is_ready)


async def test_strangers_and_customers_add_no_series(data: Path) -> None:
    """However doors are called that are not there, and however many write: labels name what the policy names."""
    known = policy.load(Settings().policy)
    async with EmbeddedStack(Plan(folder=data)) as stack:

        async def shown() -> list[Sample]:
            texts = [await probes.http_get(each, "/metrics") for each in stack.monitors.values()]
            found = (text_string_to_metric_families(text.decode()) for _, text in texts)
            every = (sample for each in found for family in each for sample in family.samples)
            return [sample for sample in every if not sample.name.endswith("_bucket")]

        async def accepted(number: int) -> bool:
            _, text = await probes.http_get(stack.monitors["ingest"], "/metrics")
            return f"{ACCEPTED} {float(number)}" in text.decode()

        async with httpx.AsyncClient(base_url=stack.addresses["ingest"]) as client:
            await write(client, range(1))
            await knock(client, ["nobody"])
            await eventually(lambda: accepted(1), within_seconds=COUNTED_SECONDS)
            before = await shown()
            await write(client, range(1, CUSTOMERS))
            names = [f"t{number}" for number in range(CUSTOMERS)]
            await knock(client, [*names, "anna@mail.example", "%22"])
            await eventually(lambda: accepted(CUSTOMERS), within_seconds=COUNTED_SECONDS)
        after = await shown()
    assert len(after) - len(before) < CUSTOMERS
    assert values(after, "tenant") <= {known.tenant, ""}
    assert values(after, "channel") <= {*CHANNELS, ""}
    assert values(after, "account") == known.accounts.keys()
    assert values(after, "group") <= {f"queue-{name}" for name in known.queues}
    for name, labels in COUNTED:
        assert shows(after, name, labels) == CUSTOMERS, (name, labels)


def shows(samples: Iterable[Sample], name: str, labels: Mapping[str, str]) -> float:
    """Return the sum of what is shown under a name with these labels."""
    found = (each for each in samples if each.name == name)
    return sum(each.value for each in found if labels.items() <= each.labels.items())


def values(samples: Iterable[Sample], label: str) -> set[str]:
    """Return what a label says."""
    return {sample.labels[label] for sample in samples if label in sample.labels}


async def write(client: httpx.AsyncClient, numbers: Iterable[int]) -> None:
    """Let as many customers send a form, as the shop's site signs it."""
    door = door_of(str(client.base_url).rstrip("/"), "", "demo", "form/contact")
    key = load_secrets(Settings())["FORM_SIGNING_KEY"]
    for number in numbers:
        said = {
            "submission_id": f"f-{number}",
            "email": f"c{number}@mail.example",
            "message": "Hello",
        }
        sent = make_delivery(PROVIDERS["form"], door, said, key, {})
        answer = await client.post(sent.url, content=sent.body, headers=sent.headers)
        assert answer.status_code == 204


async def knock(client: httpx.AsyncClient, names: Iterable[str]) -> None:
    """Ask for doors that are not there: of no tenant, of no channel, of no account."""
    for name in names:
        for path in (f"/in/{name}/form/contact", f"/in/demo/{name}/x", f"/in/demo/form/{name}"):
            assert (await client.post(path, content=b"{}")).status_code == 404
