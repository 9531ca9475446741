"""Which policy decides: written to the ledger when it changes."""

import structlog

from services.router.cases import Cases
from services.router.domain import folds
from services.router.domain.decision import SERVICE
from shared import aggregates, deciding, errors, events, ids

ACTOR = f"service:{SERVICE}"

log = structlog.get_logger("router.policies")


async def apply_policy(cases: Cases, tenant: str) -> None:
    """Record the policy in force, unless the ledger names it already or cannot be read. Raises: LedgerUnavailable."""
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

    try:
        await cases.deciding.change(tenant, load, decide)
    except (errors.EventTypeUnknown, errors.NotAnEvent) as error:
        # The policy decides all the same; a router must start to take the command that rejects the entry.
        log.error("policy_not_recorded", tenant=tenant, code=error.code, **error.place)  # noqa: TRY400
