"""Customers whom a shop registers: once, and again whenever it knows more of them."""

import re

from msgspec.structs import replace

from services.router.domain.decision import Decision, Loaded, Origin, ResolvedHandle
from services.router.domain.identify import claim, know
from services.router.domain.uniting import unite
from shared import aggregates, commands, errors, events, handles, ids, proof
from shared.customer import Customer
from shared.policy import Policy

_WORD = re.compile(r"\w+")


def register_customer(decision: Decision, command: commands.RegisterCustomer) -> None:
    """A shop says who its customer is, with her orders and handles; registered again, she is told anew of the same.

    Whoever wrote or called before is known provisionally: she is that customer from now on, with all her matters, and
    so is whoever else was known by one of the handles that the shop has verified. A handle that another registered
    customer has as well is shared from now on, and leads to neither alone.
    Raises: TextHasNul.
    """
    _refuse_nul(command)
    loaded = decision.loaded
    customer = customer_of(command, decision.origin, loaded)
    _introduce(decision, command, customer)
    _note_orders(decision, command, customer)
    for each in loaded.handles:
        know(decision, each, customer, None)
    aggregate = aggregates.CUSTOMER.of(customer)
    if not decision.written_to(aggregate):  # a command is remembered by what it wrote of her
        noted = events.CommandNotedOpen(command=command.verb)
        decision.emit(events.CommandNoted, aggregate, noted, customer=customer)
    _settle(decision, customer)
    if noted_on(decision.origin) != customer:
        beside = aggregates.CUSTOMER.of(noted_on(decision.origin))
        noted = events.CommandNotedOpen(command=command.verb, customer=customer)
        decision.emit(events.CommandNoted, beside, noted, customer=customer)


def note_order(
    decision: Decision, command: commands.RegisterCustomer, event: events.OrderChanged
) -> None:
    """A shop's system tells of an order, and so whose it is: `command` registers her, as a shop would."""
    loaded = decision.loaded
    customer = customer_of(command, decision.origin, loaded)
    _introduce(decision, command, customer)
    aggregate = aggregates.CUSTOMER.of(customer)
    recorded = decision.origin.recorded
    decision.take(replace(event, aggregate=aggregate, recorded=recorded, customer=customer))
    for each in loaded.handles:
        know(decision, each, customer, None)
    _settle(decision, customer)


def external_id_of(policy: Policy, event: events.OrderChanged) -> str | None:
    """Return by which id a shop's customer is registered: two shops may count theirs alike (docs/adr/0060).

    The first of them in the policy counts as the command `register_customer` does, each further one on its own.
    """
    told = event.personal.external_id if event.personal else None
    channel, account = event.open.channel, event.open.account
    shops = [name for name in policy.accounts if name.partition("/")[0] == channel]
    is_first = f"{channel}/{account}" in shops[:1] or not shops
    return told if told is None or is_first else f"{account}/{told}"


def is_news(customer: Customer, event: events.OrderChanged) -> bool:
    """Tell whether an order is newer than what is known of it, by the shop's time; without one it is.

    Many shops count seconds, and an order is placed and paid within one: of its words the last to come is the newest.
    """
    at = event.open.provider_time
    known = None if event.personal is None else customer.ordered.get(event.personal.number)
    return known is None or at is None or known <= at


def _settle(decision: Decision, customer: events.CustomerId) -> None:
    """All handles are hers, and so is whoever was known by one of them."""
    loaded = decision.loaded
    for each in loaded.handles:
        _hold(decision, each, customer)
    if loaded.external is not None:
        claim(decision, loaded.external, customer, None)
    if loaded.united:
        unite(decision)


def external_handle(external_id: str) -> events.Handle:
    """Return what stands for a shop's own id of a customer among the references."""
    return handles.own_reference("customer", external_id)


def noted_on(origin: Origin) -> events.CustomerId:
    """Return the customer whose id derives from a command: somebody new, or who leads to whom it registered."""
    return events.CustomerId(ids.scoped_id("customer", origin.tenant, origin.cause))


def registered_before(noted: Customer, origin: Origin) -> events.CustomerId | None:
    """Return whom a command registered, whoever holds the handles now; `None` when it is new here."""
    seen = noted.seen.get(origin.cause)
    if seen is None:
        return None
    led = [each.open.get("customer") for each in seen.events if each.type == "command.noted"]
    return next((name for name in reversed(led) if name), noted_on(origin))


def customer_of(
    command: commands.RegisterCustomer, origin: Origin, loaded: Loaded
) -> events.CustomerId:
    """Return who registers: whoever this command registered before, or is registered as the same person already, or
    wrote before; else somebody new, also under a command's id that was used before and is forgotten."""
    holders = [loaded.holders[name] for each in loaded.handles for name in each.identity.holders]
    earlier = (each.id for each in holders if origin.cause in each.seen)
    before = (each.id for each in holders if each.provisional)
    found = next(earlier, None) or _registered_as(command, loaded) or next(before, None)
    if found is not None or not loaded.noted.sequence:
        return found or noted_on(origin)
    again = ids.scoped_id("customer", origin.tenant, origin.cause, origin.cause_sha256 or "")
    return events.CustomerId(again)


def _registered_as(command: commands.RegisterCustomer, loaded: Loaded) -> events.CustomerId | None:
    """Return who is registered under this external id; else the same person by a handle, best by one of her own."""
    if loaded.external is not None and loaded.external.identity.customer is not None:
        return loaded.external.identity.customer
    alone = [each.identity.customer for each in loaded.handles if each.identity.customer]
    shared = [name for each in loaded.handles for name in each.identity.shared_by]
    same = (name for name in [*alone, *shared] if _is_same(command, loaded.holders[name], loaded))
    return next(same, None)


def _is_same(command: commands.RegisterCustomer, known: Customer, loaded: Loaded) -> bool:
    """Tell whether who registers with a registered customer's handle is herself, and not another one beside her.

    Two external ids are two people; else the same name is the same person. A name was mended if all her verified
    handles come with it, and are nobody else's: a longer or shorter form of it, or the same first word and two handles.
    """
    if known.provisional or None not in (command.external_id, known.external_id):
        return False
    before, now = (_WORD.findall((name or "").casefold()) for name in (known.name, command.name))
    if before == now:
        return True
    hers = {(each.kind, each.value) for each in known.handles if proof.of(each) == "proved"}
    given = {(each.kind, each.value) for each in _verified(loaded)}
    if not before or not now or not hers or not hers <= given:
        return False
    extended = set(before) <= set(now) or set(now) <= set(before)
    return extended or (before[0] == now[0] and len(hers) > 1)


def _verified(loaded: Loaded) -> list[events.Handle]:
    """Return the handles that the shop has verified, but those of several people."""
    alone = [each.handle for each in loaded.handles if not each.identity.shared_by]
    return [each for each in alone if proof.of(each) == "proved"]


def _introduce(
    decision: Decision, command: commands.RegisterCustomer, customer: events.CustomerId
) -> None:
    """She is registered from now on, or what the shop says of her has changed; what it leaves out stays as it was."""
    known = decision.customer
    salutation = command.salutation or known.salutation
    language = command.language or known.language
    external_id = command.external_id or known.external_id
    vip = known.vip if command.vip is None else command.vip
    told = (command.name, salutation, language, external_id, vip)
    before = (known.name, known.salutation, known.language, known.external_id, known.vip)
    if not known.provisional and told == before:
        return
    decision.emit(
        events.CustomerCreated,
        aggregates.CUSTOMER.of(customer),
        events.CustomerCreatedOpen(provisional=False, language=language, vip=vip),
        events.CustomerCreatedPersonal(
            name=command.name,
            salutation=salutation,
            handles=[
                (each.handle.kind, each.handle.value, proof.of(each.handle))
                for each in decision.loaded.handles
            ],
            external_id=external_id,
        ),
        customer=customer,
    )


def _note_orders(
    decision: Decision, command: commands.RegisterCustomer, customer: events.CustomerId
) -> None:
    for order in command.orders:
        known = decision.customer.orders.get(order.number)
        if known and (known.status, known.description) == (order.status, order.description):
            continue
        decision.emit(
            events.OrderChanged,
            aggregates.CUSTOMER.of(customer),
            events.OrderChangedOpen(status=order.status),
            events.OrderChangedPersonal(number=order.number, description=order.description),
            customer=customer,
        )


def _hold(decision: Decision, handle: ResolvedHandle, customer: events.CustomerId) -> None:
    """The handle is hers; beside whoever else is registered with it."""
    known = decision.loaded.holders
    others = [
        each for each in handle.identity.holders if each != customer and not known[each].provisional
    ]
    if not others:
        claim(decision, handle, customer, None)
    elif customer not in handle.identity.shared_by:
        decision.emit(
            events.IdentityShared,
            aggregates.IDENTITY.of(handle.hash),
            events.IdentitySharedOpen(kind=handle.handle.kind, customers=[*others, customer]),
            customer=customer,
        )


def _refuse_nul(command: commands.RegisterCustomer) -> None:
    texts = [command.name, command.salutation or "", command.external_id or ""]
    texts += [each.value for each in command.handles]
    texts += [text for order in command.orders for text in (order.number, order.description or "")]
    if any("\0" in text for text in texts):
        raise errors.TextHasNul()
