"""Which policy decides: written to the ledger when it changes."""

from services.router.cases import Cases
from services.router.domain import folds
from services.router.domain.decision import SERVICE
from shared import aggregates, deciding, events, ids

ACTOR = f"service:{SERVICE}"


async def apply_policy(cases: Cases, tenant: str) -> None:
    """Record the policy in force, unless the ledger names it already. Raises: LedgerUnavailable."""
    version, aggregate = cases.policy_version(tenant), aggregates.TENANT_POLICY
    applied = events.PolicyAppliedOpen(version=version)

    async def load(reading: deciding.Reading) -> folds.Journal:
        return await reading.load(folds.POLICY, aggregates.split(aggregate)[1])

    def decide(journal: folds.Journal) -> list[events.AnyEvent]:
        last = next(reversed(list(journal.seen.values())), None)
        if last is not None and last.events[-1].open == {"version": version}:
            return []
        origin = cases.origin(tenant, f"{version}:{journal.sequence}", ACTOR)
        event_id = ids.decision_event_id(tenant, aggregate, origin.cause, 0)
        return [events.make(events.PolicyApplied, origin, event_id, aggregate, applied)]

    await cases.deciding.change(tenant, load, decide)
