"""Several who were known provisionally turn out to be one person: what they said and told is hers."""

from services.router.domain.confirm import link, merge
from services.router.domain.consent import keep_consent
from services.router.domain.decision import Decision, KnownCustomer, Loaded
from services.router.domain.identify import learn
from shared import events, proof
from shared.conversation import NEW_CONVERSATION, Conversation
from shared.customer import Customer


def provisional_others(loaded: Loaded, customer: events.CustomerId) -> list[Customer]:
    """Return who else was known, provisionally, by a handle that is verified as the customer's who registers."""
    proved = [each for each in loaded.handles if proof.of(each.handle) == "proved"]
    names = dict.fromkeys(name for each in proved for name in each.identity.holders)
    found = [loaded.holders[name] for name in names if name != customer]
    return [each for each in found if each.provisional]


def unite(decision: Decision) -> None:
    """The conversations of all in `loaded.united` are the customer's, and so are their handles.

    Where nobody had more than one open matter, and no two agents work on them, all go on in one, hers if she has one.
    """
    herself, *rest = decision.loaded.united
    whose = decision.customer
    for before in provisional_others(decision.loaded, whose.id or events.CustomerId("")):
        keep_consent(decision, before, whose)
    matter = next(iter(herself.open), NEW_CONVERSATION)
    goes_on = _is_one_matter(decision.loaded)
    for person in rest:
        _learn_handles(decision, person)
        for conversation in person.conversations:
            decision.conversation = conversation
            last = conversation.contacts.last
            link(decision, decision.customer, last.contact_id if last else None, None)
            if goes_on and not conversation.resolved:
                matter = _go_on(decision, matter)


def _learn_handles(decision: Decision, person: KnownCustomer) -> None:
    given = {each.hash for each in decision.loaded.handles}
    for handle in person.handles:
        if handle.hash not in given:
            assert decision.customer.id is not None
            learn(decision, handle, decision.customer.id, None)


def _go_on(decision: Decision, matter: Conversation) -> Conversation:
    """Return the matter with the conversation merged into it; the conversation itself where there is no other one."""
    merge(decision, matter)
    return decision.conversation if matter.id in (None, decision.conversation.id) else matter


def _is_one_matter(loaded: Loaded) -> bool:
    still_open = [person.open for person in loaded.united]
    owners = {each.ownership.owner for found in still_open for each in found} - {None}
    return all(len(found) <= 1 for found in still_open) and len(owners) <= 1
