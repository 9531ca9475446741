"""Which policy decides: written to the ledger when it changes."""

from __future__ import annotations

from services.router.clerk import Clerk
from services.router.domain.decision import SOURCE
from shared import aggregates, events
from shared.errors import LedgerConflict
from shared.events.envelope import DATA_SCHEMA
from shared.ids import decision_event_id


async def apply_policy(clerk: Clerk, tenant: str) -> None:
    """Record the policy in force, unless the ledger names it already. Raises: LedgerUnavailable."""
    version = clerk.policy_version(tenant)
    journal = await clerk.store.journal(tenant, aggregates.TENANT_POLICY)
    last = next(reversed(list(journal.seen.values())), None)
    if last is not None and last.events[-1].open == {"version": version}:
        return
    cause = f"{version}:{journal.sequence}"
    now = clerk.clock.now()
    event = events.PolicyApplied(
        specversion="1.0",
        id=events.EventId(decision_event_id(tenant, aggregates.TENANT_POLICY, cause, 0)),
        source=SOURCE,
        occurred=now,
        recorded=now,
        aggregate=aggregates.TENANT_POLICY,
        dataschema=DATA_SCHEMA,
        datacontenttype="application/json",
        tenant=tenant,
        actor="service:router",
        causation=cause,
        data=events.Data(open=events.PolicyAppliedOpen(version=version), personal=events.Nothing()),
    )
    try:
        await clerk.store.record(tenant, aggregates.TENANT_POLICY, journal.sequence, event)
    except LedgerConflict:
        return  # another replica of the same version was first
