"""Nothing that leaves of one tenant holds another's data: two shops whose customers, agents and ids are the same.

What each of them writes down has a mark. Afterwards everything is looked through that the stack holds, answered, told,
sent and logged.
"""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx
import msgspec
import pytest

from deploy.embedded.stack import EmbeddedStack, Plan
from deploy.rights import KEEPER
from deploy.story.checks.quiescence import until_at_rest
from deploy.story.providers.mail_sink import MailSink, mail_sink
from shared import queries, streams
from shared.bus import Bus, connect
from shared.bus.deliveries import Message
from tests.embedded.shops import CALL, FORM, TAKEN, Shops, put

MARKS = {"demo": "alderwood", "second": "birchbark"}
PEOPLE = ("piotr", "ewa", "marek")
QUEUES = ("hotline", "branch-krakow", "warehouse")
STEPS = 120
READ_BATCH = 256
DUE = timedelta(hours=2)


def marked(tenant: str, policy: dict[str, Any]) -> None:
    """Have a policy's own words bear the mark."""
    for each in (*policy["queues"].values(), policy["accounts"]["email/shop"]):
        each["title"] = f"{MARKS[tenant]} {each.get('title', '')}"
    for agent in policy["agents"].values():
        agent["name"] += f" {MARKS[tenant]}"


def foreign(tenant: str | None, content: bytes | str) -> set[str]:
    """Return whose marks stand in something that is a tenant's, and may not; of nobody's, all."""
    text = content.decode(errors="replace") if isinstance(content, bytes) else content
    return {other for other, mark in MARKS.items() if other != tenant and mark in text.lower()}


def owner_in(subject: str) -> str | None:
    """Return the tenant whose token stands in a subject."""
    return next((tenant for tenant in MARKS if tenant in subject.split(".")), None)


@dataclass
class Life:
    """What two shops do, drawn by a seed. `sent`: what anybody heard on the bus meanwhile."""

    shops: Shops
    chance: Random
    sent: list[tuple[str, bytes]] = field(default_factory=list)
    conversations: dict[str, set[str]] = field(default_factory=lambda: {t: set() for t in MARKS})
    done: Counter[str] = field(default_factory=Counter)

    async def lives(self) -> None:
        """Everybody begins to work; then each step is of either shop."""
        for tenant in MARKS:
            for name in PEOPLE:
                await self.does(tenant, name, "sign_in")
            for number in range(3):
                await self.registers(tenant, number)
        for step in range(STEPS):
            await self.step(self.chance.choice(list(MARKS)), step)

    async def step(self, tenant: str, step: int) -> None:
        """One thing that happens; numbers, ids and addresses are the same with both."""
        number, mark = self.chance.randrange(3), MARKS[tenant]
        match self.chance.randrange(7):
            case 0:
                told = {"message": f"{mark} ORD-10024{number}", "email": f"c{number}@mail.example"}
                content = {"id": f"form-{step % 7}", **told, "name": f"Anna {mark}"}
                assert await self.shops.delivers(tenant, FORM, content) == TAKEN
            case 1:
                assert await self.shops.delivers(tenant, CALL, call(number)) == TAKEN
            case 2:
                await self.pries(tenant)
            case 3 | 4:
                for name in PEOPLE:
                    await self.works(tenant, name)
            case _:
                for name in PEOPLE:
                    await self.takes(tenant, name)

    async def registers(self, tenant: str, number: int) -> None:
        """The shop tells whose a number and an address are."""
        handles = [
            {"kind": "phone", "value": f"+4860123456{number}", "verified": True},
            {"kind": "email", "value": f"c{number}@mail.example", "verified": True},
        ]
        order = {"number": f"ORD-10024{number}", "status": "open", "description": MARKS[tenant]}
        known = {"name": f"Anna {MARKS[tenant]}", "handles": handles, "orders": [order]}
        await self.does(tenant, "service:shop", "register_customer", **known)

    async def takes(self, tenant: str, name: str) -> None:
        """An agent accepts what she is offered."""
        inbox = await self.shops.asks(tenant, "inbox", agent=name)
        for each in inbox["offered"]:
            kind = "transfer" if each.get("transfer_id") else "offer"
            which = {f"{kind}_id": each[f"{kind}_id"], "conversation": each["conversation"]}
            await self.does(tenant, name, f"accept_{kind}", **which)

    async def works(self, tenant: str, name: str) -> None:
        """An agent does something with a matter of hers."""
        inbox, mark = await self.shops.asks(tenant, "inbox", agent=name), MARKS[tenant]
        for each in inbox["owned"][:1]:
            it = {"conversation": each["conversation"]}
            due = (datetime.now(UTC) + DUE).isoformat()
            to = {"queue": self.chance.choice(QUEUES)}
            possible: dict[str, dict[str, Any]] = {
                "record_fact": {"fact": "problem", "value": f"{mark} is broken"},
                "make_promise": {"text": f"{mark} by tomorrow", "due": due},
                "send_message": {"channel": "email", "text": f"Dear {mark}"},
                "transfer": {"to": to, "kind": "cold", "brief": f"{mark} please"},
            }
            verb, body = self.chance.choice(list(possible.items()))
            await self.does(tenant, name, verb, **it, **body)

    async def pries(self, tenant: str) -> None:
        """An agent names a conversation of the other shop, whose id he knows."""
        (other,) = MARKS.keys() - {tenant}
        for conversation in sorted(self.conversations[other])[:1]:
            it = {"conversation": conversation}
            for query in ("timeline", "conversation", "context", "as_of"):
                answer = await self.shops.asks(tenant, query, **it)
                assert not foreign(tenant, msgspec.json.encode(answer)), query
            tried = await self.does(tenant, "piotr", "record_fact", **it, fact="x", value="y")
            assert tried["error"]["code"] == "conversation.unknown"

    async def does(self, tenant: str, name: str, verb: str, /, **body: Any) -> dict[str, Any]:
        """Send a command; a refusal is an answer too."""
        actor = name if ":" in name else f"agent:{name}"
        answer = await self.shops.does(tenant, actor, verb, **body)
        assert not foreign(tenant, msgspec.json.encode(answer)), verb
        if "error" not in answer:
            self.done[verb] += 1
            self.conversations[tenant] |= (
                {body["conversation"]} if "conversation" in body else set()
            )
        return answer


def call(number: int) -> Mapping[str, str]:
    """A call that begins, as its provider tells it."""
    return {
        "CallSid": f"CA{number:032}",
        "AccountSid": "AC00000000000000000000000000000001",
        "From": f"+4860123456{number}",
        "FromCountry": "PL",
        "To": "+48123456789",
        "Direction": "inbound",
        "ApiVersion": "2010-04-01",
        "CallStatus": "ringing",
    }


async def held(bus: Bus) -> AsyncIterator[tuple[str, bytes]]:
    """Yield subject, headers and body of everything in every stream."""
    for stream in (str(config["name"]) for config in streams.stream_configs()):
        at = 1
        while True:
            found = await bus.direct_get(stream, sequence=at, subject=">", batch=READ_BATCH)
            for each in found.messages:
                yield each.subject, repr(sorted(each.headers.items())).encode() + each.body
            if not found.messages:
                break
            at = found.messages[-1].sequence + 1


async def answers(life: Life, tenant: str) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Yield what a tenant is answered to every question that there is, about all that either of them has."""
    about: dict[str, list[Any]] = {
        "conversation": sorted({it for some in life.conversations.values() for it in some}),
        "agent": list(PEOPLE),
        "queue": list(QUEUES),
        "handle": [{"kind": "phone", "value": f"+4860123456{number}"} for number in range(3)],
        "ids": [["x"]],
        "attachment_id": ["x"],
    }
    for name, kind in queries.QUERIES.items():
        fields = {each.name: each.required for each in msgspec.structs.fields(kind)}
        named = [each for each in about if each in fields]
        if not any(fields.values()):
            yield name, await life.shops.asks(tenant, name)
        for field_name in named:
            for value in about[field_name]:
                yield name, await life.shops.asks(tenant, name, **{field_name: value})


async def lived(stack: EmbeddedStack, bus: Bus, seed: int) -> Life:
    """Let the shops live, and listen to all that is said meanwhile."""
    life = Life(Shops(stack, bus), Random(seed))

    async def hear(message: Message) -> None:
        life.sent.append((message.subject, message.body))

    for said in ("screen.>", "live.>"):
        await bus.subscribe(said, hear)
    await life.lives()
    assert await until_at_rest(bus) == []
    return life


@pytest.mark.parametrize("seed", [1])
async def test_nothing_of_one_tenant_is_in_what_is_anothers(
    seed: int, data: Path, tmp_path: Path
) -> None:
    """Streams, answers, screens, mails, logs and metrics, after a life in which each tried to see the other's."""
    folder = tmp_path / "policies"
    folder.mkdir()
    for tenant in MARKS:
        put(folder, tenant, lambda policy, tenant=tenant: marked(tenant, policy))  # type: ignore[misc]
    async with mail_sink("127.0.0.1", 0) as sink:
        outside = {"TELLONCE_POLICY": str(folder), "TELLONCE_SMTP_URL": sink.url}
        async with EmbeddedStack(Plan(folder=data, environment=outside, users=(KEEPER,))) as stack:
            bus = await connect(stack.bus_address(KEEPER), "tests")
            try:
                life = await lived(stack, bus, seed)
                counted = await look_through(life, bus)
            finally:
                await bus.close()
            await look_at_metrics(stack)
    look_at_mails(sink)
    look_at_logs(data)
    # It was a life: both have customers' words, packets, answers and screens, and did what may carry words over.
    assert {"record_fact", "make_promise", "send_message", "accept_transfer"} <= life.done.keys()
    assert sink.mails
    for tenant in MARKS:
        assert any(subject.startswith(f"screen.{tenant}.") for subject, _ in life.sent)
        for kind in ("ledger", "contact", "timeline", "context", "customer"):
            assert counted[tenant, kind], (tenant, kind)


async def look_through(life: Life, bus: Bus) -> Counter[tuple[str, str]]:
    """Look at all that the bus holds, said and answers; return how often a tenant's mark was where it belongs."""
    counted: Counter[tuple[str, str]] = Counter()

    def look(tenant: str | None, kind: str, content: bytes) -> None:
        assert not foreign(tenant, content), (tenant, kind, content)
        if tenant is not None and MARKS[tenant] in content.decode(errors="replace").lower():
            counted[tenant, kind] += 1

    async for subject, body in held(bus):
        look(owner_in(subject), subject.partition(".")[0], body)
    for subject, body in life.sent:
        look(owner_in(subject), subject.partition(".")[0], body)
    for tenant in MARKS:
        async for name, answer in answers(life, tenant):
            look(tenant, name, msgspec.json.encode(answer))
    return counted


async def look_at_metrics(stack: EmbeddedStack) -> None:
    """They are the whole stack's: they name no tenant and nobody's words."""
    async with httpx.AsyncClient() as http:
        for url in stack.monitors.values():
            told = (await http.get(f"{url}/metrics")).text
            assert not foreign(None, told)


def look_at_mails(sink: MailSink) -> None:
    """Each is one shop's, from its title to its last word."""
    for mail in sink.mails:
        (of_title,), (of_text,) = foreign(None, mail.title), foreign(None, mail.text)
        assert of_title == of_text


def look_at_logs(data: Path) -> None:
    """They hold ids, and nobody's words."""
    for path in sorted((data / "logs").glob("*.log")):
        for line in path.read_text(errors="replace").splitlines():
            assert not foreign(None, line), (path.name, line)
