"""Whatever customers and agents do, in whatever order: the invariants hold after every step."""

import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from shared.conversation import Conversation
from shared.errors import TellonceError
from shared.events import CustomerCreated, Handle
from shared.policy import Policy, parse
from tests.router import samples
from tests.router.in_memory_router import InMemoryRouter
from tests.router.invariants import check, check_owners

LINES = parse(samples.LINES_TEXT)
STEPS = 100
DAYS_MAX = 20
"""Rounds of work until everything is ended; a few conversations at a time per agent."""
AGENTS = ("piotr", "ewa", "marek")
PEOPLE: tuple[list[Handle], ...] = (
    [samples.phone(), samples.mail()],
    [samples.mail("ola@customer.example")],
    [],
    [samples.mail(proof="claimed")],
    [samples.phone(), samples.mail("ola@customer.example", proof="proved")],
)
TEXTS = (
    f"where is {samples.PARCEL}?",
    f"{samples.OTHER_PARCEL}, not the other one",
    "ORD-1234 is red, or blue",
    "ORD-1234",
    "thank you",
)
TARGETS = (
    {"agent": "marek"},
    {"agent": "ewa"},
    {"team": "desk"},
    {"queue": "warehouse"},
    {"external": "carrier"},
)
ENDS: tuple[tuple[str, dict[str, str]], ...] = (
    ("cancel_transfer", {}),
    ("complete_transfer", {"outcome": "answered", "result": "tomorrow"}),
    ("complete_transfer", {"outcome": "connected"}),
    ("complete_transfer", {"outcome": "not_reached"}),
)
"""How a sender ends a transfer."""
VAIN = ("no_answer", "no_answer", "busy", "voicemail", "wrong_number")
Step = Callable[[], Awaitable[Any]]


class Hands:
    """Does at random what people and time do. Refusals are allowed, faults are not."""

    def __init__(self, seed: int, lack: int = 0, policy: Policy | None = None) -> None:
        self.random, lag = random.Random(seed), random.Random(seed)
        lags = (lambda _: lag.randint(0, lack)) if lack else None
        self.router = InMemoryRouter(policy or LINES, lags)
        self.calls: dict[str, list[Any]] = {}
        self.count = 0
        self.customers: list[Any] = []
        self.checked = 0

    async def begin(self) -> None:
        """Some are at work; Anna is a registered customer."""
        handles = [{"kind": each.kind, "value": each.value, "verified": True} for each in PEOPLE[0]]
        await self.tries("service:shop", "register_customer", name="Anna", handles=handles)
        await self.router.on_duty("piotr", "ewa", "marek")

    async def step(self) -> None:
        """Do one thing, then check everything."""
        step = self.random.choice(
            [self.customer_calls, self.call_goes_on, self.customer_writes, self.chat_goes_on]
            + [self.agent_comes_or_goes, self.time_passes, self.matter_ends]
            + [self.dispatched, self.answered, self.transfer_moves, self.agent_works] * 3
            + [self.supervised]
        )
        await step()
        await check(self.router, self.checked)
        self.checked = await self.router.ledger.position()

    def now(self) -> Any:
        return self.router.clock.time

    def someone(self) -> Any:
        return self.random.choice(PEOPLE)

    async def picked(self) -> Conversation | None:
        found = [it for it in await self.router.conversations() if not it.resolved]
        self.customers = [it.customer for it in found]
        asked = [
            it
            for it in found
            if it.ownership.offer is not None or it.ownership.transfer is not None
        ]
        return self.random.choice(asked or found) if found else None

    async def tries(self, actor: str, verb: str, **fields: Any) -> None:
        """Give a command that may be refused."""
        try:
            await self.router.does(actor, verb, **fields)
        except TellonceError as error:
            if error.http_status >= 500:
                raise

    # -- customers ----------------------------------------------------------------------------------

    async def customer_calls(self) -> None:
        self.count += 1
        name, who = f"CA{self.count}", self.someone()
        self.calls[name] = who
        first = self.random.choice(["started", "started", "started", "menu", "missed", "ended"])
        await self.router.happens(samples.call(first, name, handles=who, at=self.now()))

    async def call_goes_on(self) -> None:
        if not self.calls:
            return
        name = self.random.choice(list(self.calls))
        kind = self.random.choice(["menu", "answered", "held", "resumed", "ended", "started"])
        self.count += 1
        event = samples.call(
            kind, name, handles=self.calls[name], at=self.now(), k=self.count, digits="2"
        )
        await self.router.happens(event)
        if kind == "ended":
            del self.calls[name]

    async def customer_writes(self) -> None:
        self.count += 1
        who, text = self.random.choice([*PEOPLE[:2], *PEOPLE[3:]]), self.random.choice(TEXTS)
        name, at = f"m{self.count}", self.now()
        channel = self.random.choice(["chat", "email", "form"])
        if channel == "form":
            fields = [("parcel", samples.PARCEL), ("order", "ORD-1234")]
            await self.router.happens(samples.form(text, name, handles=who, at=at, fields=fields))
            return
        it = await self.picked()
        reply = it.id if it and channel == "email" and self.random.random() < 0.3 else None
        automatic = self.random.random() < 0.2
        event = samples.message(
            text, name, channel=channel, handles=who, at=at, in_reply_to=reply, automatic=automatic
        )
        await self.router.happens(event)

    async def chat_goes_on(self) -> None:
        """A session is used for ever: after its matter ended, by somebody who signed in meanwhile, by nobody known."""
        self.count += 1
        who, name = self.someone(), f"s{self.random.randint(1, 3)}"
        event = samples.message(
            self.random.choice(TEXTS), name, k=self.count, handles=who, at=self.now()
        )
        await self.router.happens(event)

    # -- agents and time ----------------------------------------------------------------------------

    async def agent_comes_or_goes(self) -> None:
        agent = self.random.choice(AGENTS)
        if self.random.random() < 0.8:
            await self.tries(agent, "sign_in")
        else:
            status = self.random.choice(["away", "signed_out"])
            await self.tries(agent, "set_status", status=status)

    async def time_passes(self) -> None:
        await self.router.passes(self.random.choice([1, 1, 20, 31, 125]))

    async def dispatched(self) -> None:
        await self.router.offers()
        await check_owners(self.router)

    async def answered(self) -> None:
        it = await self.picked()
        if it is None or it.ownership.offer is None:
            return
        by = self.random.choice([it.ownership.offer.agent] * 4 + list(AGENTS))
        take = self.random.random() < 0.7
        if it.ownership.transfer is not None:
            verb = "accept_transfer" if take else "reject_transfer"
            await self.tries(
                by, verb, conversation=it.id, transfer_id=it.ownership.transfer.transfer_id
            )
        else:
            verb = "accept_offer" if take else "reject_offer"
            await self.tries(by, verb, conversation=it.id, offer_id=it.ownership.offer.offer_id)

    async def transfer_moves(self) -> None:
        it = await self.picked()
        if it is None:
            return
        under_way = it.ownership.transfer
        if under_way is not None and self.random.random() < 0.4:
            verb, more = self.random.choice(ENDS)
            key = under_way.transfer_id
            await self.tries(under_way.sender, verb, conversation=it.id, transfer_id=key, **more)
            return
        to = self.random.choice(TARGETS)
        kind = self.random.choice(["warm", "cold"])
        sender = it.ownership.owner or "piotr"
        await self.tries(sender, "transfer", conversation=it.id, to=to, kind=kind, brief="take it")

    async def supervised(self) -> None:
        """The hotline's supervisor takes something, or gives it to somebody."""
        it = await self.picked()
        if it is None:
            return
        to = self.random.choice([None, *AGENTS])
        verb, more = ("take_over", {}) if to is None else ("assign", {"to": to})
        await self.tries("piotr", verb, conversation=it.id, reason="now", **more)

    async def agent_works(self) -> None:
        it = await self.picked()
        if it is None:
            return
        agent = it.ownership.owner or self.random.choice(AGENTS)
        verb, fields = self.random.choice(list(self._work(it)))
        await self.tries(agent, verb, conversation=it.id, **fields)

    def _work(self, conversation: Conversation) -> list[tuple[str, dict[str, Any]]]:
        due = self.now() + timedelta(minutes=5)
        work: list[tuple[str, dict[str, Any]]] = [
            ("record_fact", {"fact": "parcel_number", "value": samples.PARCEL}),
            ("record_fact", {"fact": "wish", "value": f'"{self.random.choice("äß€😀")}\\ & co'}),
            ("make_promise", {"text": "I call you", "due": due}),
            ("send_message", {"channel": "email", "text": "Hello"}),
            ("switch_channel", {"channel": self.random.choice(["email", "chat", "twilio_voice"])}),
            ("wrap_up", {"disposition": "solved", "summary": "all is well"}),
            ("escalate", {"brief": "too hard", "kind": self.random.choice(["cold", "warm"])}),
        ]
        work += [("confirm_customer", {"customer": self.random.choice(self.customers)})] * 2
        work += [("keep_promise", {"promise_id": key}) for key in conversation.matter.promises]
        work += [
            ("correct_fact", {"fact_id": key, "value": "other"})
            for key in conversation.matter.facts
        ]
        for key in conversation.matter.callbacks:
            work += [
                ("attempt_callback", {"callback_id": key, "outcome": "reached"}),
                ("attempt_callback", {"callback_id": key, "outcome": self.random.choice(VAIN)}),
                ("close_callback", {"callback_id": key, "reason": "wrong number"}),
            ] * 3
        return work

    async def matter_ends(self) -> None:
        it = await self.picked()
        if it is None or it.ownership.owner is None:
            return
        if self.random.random() < 0.7:
            fields = {"disposition": "solved", "summary": "done"}
            await self.tries(it.ownership.owner, "wrap_up", conversation=it.id, **fields)
        await self.tries(it.ownership.owner, "resolve", conversation=it.id)

    # -- the end of the day -------------------------------------------------------------------------

    async def everybody_hangs_up(self) -> None:
        for name, who in self.calls.items():
            self.count += 1
            await self.router.happens(
                samples.call("ended", name, handles=who, at=self.now(), k=self.count)
            )
        self.calls.clear()

    async def everybody_works(self) -> None:
        """Everyone is there and takes what is offered, calls back what is owed, ends what is hers."""
        for agent in AGENTS:
            await self.tries(agent, "sign_in")
        await self.router.offers()
        for it in await self.router.conversations():
            if it.ownership.offer is not None and it.ownership.transfer is not None:
                key = it.ownership.transfer.transfer_id
                await self.tries(
                    it.ownership.offer.agent, "accept_transfer", conversation=it.id, transfer_id=key
                )
            elif it.ownership.offer is not None:
                offer = it.ownership.offer
                await self.tries(
                    offer.agent, "accept_offer", conversation=it.id, offer_id=offer.offer_id
                )
            elif it.ownership.owner is not None:
                await self._ends(it, it.ownership.owner)
            elif it.waiting_contact is None:
                await self._calls_back(it)
        await self.router.passes(125)

    async def _ends(self, it: Conversation, owner: str) -> None:
        await self.tries(owner, "wrap_up", conversation=it.id, disposition="solved", summary="done")
        await self.tries(owner, "resolve", conversation=it.id)

    async def _calls_back(self, it: Conversation) -> None:
        for key, callback in it.matter.callbacks.items():
            if callback.status == "open":
                await self.tries(
                    "ewa",
                    "attempt_callback",
                    conversation=it.id,
                    callback_id=key,
                    outcome="reached",
                )


@pytest.mark.parametrize("seed", range(200, 212))
async def test_every_matter_can_be_ended(seed: int) -> None:
    """After a random history everybody hangs up and everybody works: nothing stays open that nobody could end."""
    hands = Hands(seed)
    await hands.begin()
    for _ in range(STEPS):
        await hands.step()
    await hands.everybody_hangs_up()
    for _ in range(DAYS_MAX):
        await hands.everybody_works()
        if all(it.resolved for it in await hands.router.conversations()):
            break
    await check(hands.router)
    left = [it for it in await hands.router.conversations() if not it.resolved]
    assert [(it.ownership.owner, it.ownership.queue, it.matter.callbacks) for it in left] == []


@pytest.mark.parametrize("seed", range(12))
async def test_the_invariants_hold_after_every_step(seed: int) -> None:
    """Owner or queue, no leaked slot, no hand-over without its packet, true packets, in a random history."""
    hands = Hands(seed)
    await hands.begin()
    for _ in range(STEPS):
        await hands.step()


@pytest.mark.parametrize("seed", range(100, 104))
async def test_the_invariants_hold_on_a_replica_that_lags(seed: int) -> None:
    """What is read may lack the newest events: no second customer, no leaked slot, no packet without its customer."""
    hands = Hands(seed, lack=12)
    await hands.begin()
    for _ in range(STEPS):
        await hands.step()
    created = [event.personal for event in await hands.router.all(CustomerCreated)]
    handles = [
        (kind, value)
        for each in created
        if each
        for kind, value, proof in each.handles
        if proof != "claimed"
    ]
    assert len(set(handles)) == len(handles)
