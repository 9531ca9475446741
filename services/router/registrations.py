"""Who a shop's customer is: loads what a registration looks at, and takes the orders that a shop's system reports."""

from dataclasses import replace

from services.router.cases import Cases
from services.router.domain import folds
from services.router.domain.decision import Decision, Loaded, Origin
from services.router.domain.registering import (
    customer_of,
    external_handle,
    external_id_of,
    is_news,
    note_order,
    noted_on,
    registered_before,
)
from services.router.domain.uniting import provisional_others
from shared import commands, deciding, events, handles, proof

PEOPLES: frozenset[events.HandleKind] = frozenset({"phone", "email"})
"""Kinds of handles that a shop knows of its customers."""


async def load(
    cases: Cases, reading: deciding.Reading, command: commands.RegisterCustomer, origin: Origin
) -> Loaded:
    """Load who holds the handles; for a command that was carried out before, whom it registered then.

    Raises: HandleInvalid.
    """
    noted = await reading.load(folds.CUSTOMER, noted_on(origin))
    before = registered_before(noted, origin)
    if before is not None:
        registered = await reading.load_named(folds.CUSTOMER, before)
        if origin.cause in registered.seen:
            return Loaded(customer=registered)
    given = _handles_given(cases.policies.of(reading.tenant).region, command)
    resolved = await cases.handles(reading, given)
    named = [external_handle(command.external_id)] if command.external_id else []
    external = next(iter(await cases.handles(reading, named)), None)
    names = {name for each in resolved for name in each.identity.holders}
    holders = {name: await reading.load_named(folds.CUSTOMER, name) for name in sorted(names)}
    loaded = Loaded(handles=resolved, holders=holders, external=external, noted=noted)
    name = customer_of(command, origin, loaded)
    customer = await reading.load(folds.CUSTOMER, name)
    others = provisional_others(loaded, name)
    loaded = replace(loaded, customer=customer)
    return await cases.with_united(reading, loaded, others) if others else loaded


def _handles_given(region: str | None, command: commands.RegisterCustomer) -> list[events.Handle]:
    """Return the handles of a registration, each once however often it is written. Raises: HandleInvalid."""
    verified: dict[tuple[events.HandleKind, str], bool] = {}
    for each in command.handles:
        handle = each.kind, handles.normal(each.kind, each.value, region)
        verified[handle] = each.verified or verified.get(handle, False)
    return [
        proof.with_proof(events.Handle(kind=kind, value=value), "proved" if proved else "delivered")
        for (kind, value), proved in verified.items()
    ]


class Orders:
    """Takes what a shop's systems report of orders."""

    def __init__(self, cases: Cases) -> None:
        self._cases = cases

    async def take(self, event: events.OrderChanged) -> bool:
        """Record an order with the customer whose it is, whom it registers where nobody did.

        Return whether it stands there: not what says nothing of whose it is, or is older than what is known.
        """
        personal = event.personal
        if personal is None or not (personal.external_id or _known(event)):
            return False
        origin = self._cases.origin(
            event.tenant, event.id, event.actor, event.occurred, raw=event.raw
        )
        told = False
        external_id = external_id_of(self._cases.policies.of(event.tenant), event)
        command = _registration(event, personal.name, external_id)

        async def load_order(reading: deciding.Reading) -> Loaded:
            nonlocal command
            if personal.name is None:
                name = await self._name(reading, event, external_id)
                command = _registration(event, name, external_id)
            return await load(self._cases, reading, command, origin)

        def decide(loaded: Loaded) -> list[events.AnyEvent]:
            nonlocal told
            repeated = event.id in loaded.customer.seen
            told = repeated or is_news(loaded.customer, event)
            if repeated or not told:
                return []
            decision = Decision(loaded, origin)
            note_order(decision, command, event)
            return decision.events

        await self._cases.change(event.tenant, load_order, decide)
        return told

    async def _name(
        self, reading: deciding.Reading, event: events.OrderChanged, external_id: str | None
    ) -> str | None:
        """Return the name of whom the order's handles lead to, where it says none itself."""
        given = [external_handle(external_id)] if external_id else []
        for each in await self._cases.handles(reading, [*given, *_known(event)]):
            if each.identity.customer is not None:
                return (await reading.load_named(folds.CUSTOMER, each.identity.customer)).name
        return None


def _known(event: events.OrderChanged) -> list[events.Handle]:
    given = event.personal.handles if event.personal else []
    return [each for each in given if each.kind in PEOPLES]


def _registration(
    event: events.OrderChanged, name: str | None, external_id: str | None
) -> commands.RegisterCustomer:
    """Return the registration that an order stands for."""
    known = _known(event)
    return commands.RegisterCustomer(
        command_id=event.id,
        issued_at=event.recorded,
        actor=event.actor,
        name=name or (known[0].value if known else f"{external_id}"),
        external_id=external_id,
        handles=[
            commands.KnownHandle(kind=each.kind, value=each.value, verified=each.verified)
            for each in known
        ],
    )
