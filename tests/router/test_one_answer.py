"""One answer per command id: whatever the verb, and whatever has changed since."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from services.router.domain import folds
from shared import commands, errors, events, requests
from shared.errors import TellonceError
from shared.ledger import Write
from shared.refusals import KEPT_TEXT_MAX_CHARACTERS, KeptRefusal
from tests.router.in_memory_router import InMemoryRouter
from tests.router.proved import registered
from tests.router.samples import ANNA, ANNA_MAIL, NOON, TENANT, call, message
from tests.router.test_parking import CLI, parks

OLEK = "olek@customer.example"


async def code_of(router: InMemoryRouter, verb: str, body: bytes) -> str:
    with pytest.raises(TellonceError) as refusal:
        await router.commands.handle(verb, TENANT, body)
    return refusal.value.code


async def asked_to_take_over(router: InMemoryRouter) -> dict[str, Any]:
    """Ewa is asked to take Piotr's conversation; return the fields that accepting and cancelling have in common."""
    it = await router.owned_by("piotr", message("hello", handles=[]))
    await router.on_duty("ewa")
    await router.hands_on("piotr", "warm", agent="ewa")
    await router.offers()
    return {"conversation": it, "transfer_id": (await router.transfer()).transfer_id}


async def test_another_verb_under_an_id_is_another_command(router: InMemoryRouter) -> None:
    """The bodies are the same, byte for byte: what was done is not what is asked for now."""
    body = router.body("ewa", "accept_transfer", **await asked_to_take_over(router))
    await router.commands.handle("accept_transfer", TENANT, body)
    assert await code_of(router, "cancel_transfer", body) == "command.id_reused"


async def test_another_verb_under_the_id_of_a_refusal_is_another_command(
    router: InMemoryRouter,
) -> None:
    """It is not told why the first one was refused."""
    body = router.body("ewa", "cancel_transfer", **await asked_to_take_over(router))
    assert await code_of(router, "cancel_transfer", body) == "conversation.not_owned"
    assert await code_of(router, "accept_transfer", body) == "command.id_reused"


async def test_what_the_version_before_carried_out_or_refused_is_still_known(
    router: InMemoryRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its hash was of the body alone: a repetition across the upgrade gets the reply of then."""
    with monkeypatch.context() as older:
        older.setattr(requests, "sha256_of", requests.sha256_before_verbs)
        done = router.body("piotr", "sign_in")
        first = await router.commands.handle("sign_in", TENANT, done)
        refused = router.body("piotr", "resolve", conversation="none")
        assert await code_of(router, "resolve", refused) == "conversation.unknown"
    router.restart()
    assert await router.commands.handle("sign_in", TENANT, done) == first
    assert await code_of(router, "resolve", refused) == "conversation.unknown"


# -- a shop registers a customer ------------------------------------------------------------------------


async def registers(router: InMemoryRouter, name: str = "R1") -> tuple[bytes, commands.Done]:
    """Somebody calls, and the shop registers her by her number; return the command and its reply."""
    await router.happens(call("started"))
    known = {"kind": "phone", "value": ANNA, "verified": True}
    body = router.body("service:shop", "register_customer", id=name, name="Anna", handles=[known])
    return body, await router.commands.handle("register_customer", TENANT, body)


async def test_the_id_of_a_registration_registers_nobody_else(router: InMemoryRouter) -> None:
    """Also where whoever wrote before kept the id that she had."""
    await registers(router)
    before = await router.ledger.position()
    other = {"name": "Olek", "handles": [{"kind": "email", "value": OLEK}]}
    body = router.body("service:shop", "register_customer", id="R1", **other)
    assert await code_of(router, "register_customer", body) == "command.id_reused"
    assert await router.ledger.position() == before


async def test_a_registration_is_known_again_whoever_holds_her_handles_now(
    router: InMemoryRouter,
) -> None:
    """Another customer's by now, as 0.1 had it after a confirmation; the repeated command registers nobody anew."""
    body, first = await registers(router)
    await registered(router, "Olek", email=OLEK)
    moved = await router.last(events.IdentityClaimed)
    claimed = await router.all(events.IdentityClaimed)
    hers = next(each for each in claimed if each.open.kind == "phone")
    known = await router.ledger.read(TENANT, hers.aggregate)
    taken = replace(moved, id=events.EventId("moved"), aggregate=hers.aggregate)
    await router.ledger.append(TENANT, [Write(hers.aggregate, known[-1].sequence, [taken])])
    before = await router.ledger.position()
    router.restart()
    assert await router.commands.handle("register_customer", TENANT, body) == first
    assert await router.ledger.position() == before


async def test_a_registration_of_which_another_router_knows_is_carried_out_once(
    router: InMemoryRouter,
) -> None:
    """The replica of this one lacks all of it: what it decided conflicts, and it answers as the other one did."""
    lagging = InMemoryRouter(lack=lambda aggregate: 100 if aggregate.startswith("cust-") else 0)
    await lagging.happens(call("started"))
    fields = {"name": "Anna", "handles": [{"kind": "phone", "value": ANNA, "verified": True}]}
    body = lagging.body("service:shop", "register_customer", **fields)
    first = await lagging.commands.handle("register_customer", TENANT, body)
    lagging.restart()
    assert await lagging.commands.handle("register_customer", TENANT, body) == first
    assert len(await lagging.all(events.CustomerCreated)) == 2


async def test_a_forgotten_id_of_a_registration_registers_somebody_else(
    router: InMemoryRouter,
) -> None:
    """Days later it is a new command: it changes nobody whom it registered then."""
    fields: dict[str, Any] = {"name": "Anna", "handles": [{"kind": "email", "value": ANNA_MAIL}]}
    await router.does("service:shop", "register_customer", id="R1", **fields)
    anna = router.done.events[0].aggregate.removeprefix("cust-")
    router.clock.time += timedelta(days=2)
    for number in range(300):
        order = {"number": f"ORD-{number}", "status": "open"}
        await router.does("service:shop", "register_customer", **fields, orders=[order])
    fields = {"name": "Olek", "handles": [{"kind": "email", "value": OLEK}]}
    await router.does("service:shop", "register_customer", id="R1", **fields)
    assert router.done.events[0].aggregate != f"cust-{anna}"
    assert (await router.load(folds.CUSTOMER, anna)).name == "Anna"


# -- what is refused ------------------------------------------------------------------------------------


async def test_an_id_longer_than_any_is_unreadable(router: InMemoryRouter) -> None:
    """It would come back in the refusal, and a few hundred of them would push all others out of their store."""
    it = await router.owned_by("piotr", message("hello"))
    long = {"conversation": it, "promise_id": "x" * 129}
    assert await router.refused("piotr", "keep_promise", **long) == "command.unreadable"
    assert not router.refusals.kept


@pytest.mark.parametrize("kind", list(commands.COMMANDS.values()), ids=lambda kind: kind.verb)
def test_every_id_and_name_in_a_command_is_bounded(kind: type[commands.Command]) -> None:
    """By the schema that everybody can read; texts are too."""
    _, schema = msgspec.json.schema_components([kind])
    unbounded = [
        f"{part}.{name}"
        for part, each in schema.items()
        for name, field in each.get("properties", {}).items()
        for one in field.get("anyOf", [field])
        if one.get("type") == "string"
        and not {"maxLength", "pattern", "format", "enum"} & one.keys()
    ]
    assert unbounded == []


async def test_a_kept_refusal_is_short_and_told_as_it_is_kept(router: InMemoryRouter) -> None:
    """Whatever a detail holds."""
    body = router.body("piotr", "sign_in")
    with pytest.MonkeyPatch.context() as breaking:
        breaking.setattr("services.router.commands.decide", _refuses_at_length)
        with pytest.raises(TellonceError) as first:
            await router.commands.handle("sign_in", TENANT, body)
    (kept,) = router.refusals.kept.values()
    assert isinstance(kept, KeptRefusal)
    assert kept.details == {"agent": "y" * KEPT_TEXT_MAX_CHARACTERS}
    with pytest.raises(TellonceError) as again:
        await router.commands.handle("sign_in", TENANT, body)
    assert again.value.problem() == first.value.problem()


def _refuses_at_length(*_: Any) -> list[events.AnyEvent]:
    raise errors.AgentUnknown(agent="y" * 100_000)


async def test_a_retry_that_is_refused_for_its_age_does_nothing(router: InMemoryRouter) -> None:
    """What was parked stays parked, and is no fact."""
    parked_id = await parks(router, call("started"))
    late = {"parked_id": parked_id, "issued_at": NOON - timedelta(days=3)}
    assert await router.refused(CLI, "retry_parked", **late) == "command.too_old"
    assert await router.conversations() == []
    assert (await router.does(CLI, "retry_parked", parked_id=parked_id))[-1] == "contact.retried"


async def test_a_retry_under_the_id_of_another_command_does_nothing(router: InMemoryRouter) -> None:
    """It was given up under that id."""
    parked_id = await parks(router, call("started"))
    await router.does(CLI, "skip_parked", id="X", parked_id=parked_id, reason="a test call")
    again = await parks(router, call("started"), sequence=89)
    body = router.body(CLI, "retry_parked", id="X", parked_id=again)
    assert await code_of(router, "retry_parked", body) == "command.id_reused"
    assert await router.conversations() == []
