"""Who is who on the bus (docs/adr/0077).

House services, the desk and operators ask on `cmd.<tenant>.<name>` and `query.<tenant>.<name>`: who acts is believed.
An integration asks on the same with `.as.<integration>` behind it: it acts as itself, whatever it states, and does what
its tenant's policy gives it. Its user of the bus may publish there and nowhere else (`deploy/rights.py`).
"""

from typing import Any

import msgspec

from shared import codec, errors, serving, subjects
from shared.policies import Policies
from shared.policy import Integration

NOBODY = Integration()


class Callers:
    """Answers the integrations of all tenants. `service`: who answers."""

    def __init__(self, here: serving.Connection, policies: Policies, service: str) -> None:
        self._here = here
        self._policies = policies
        self._service = service

    async def command(self, verb: str, answer: serving.Answer) -> None:
        """Let integrations give a command, each as itself."""

        async def give(subject: str, body: bytes) -> Any:
            tenant, name = subjects.caller_in(subject)
            if verb not in self._rights(tenant, name).commands:
                raise errors.CommandForbidden(integration=name, command=verb)
            return await answer(tenant, acting(body, f"integration:{name}"))

        subject = subjects.asked_as_any(f"cmd.*.{verb}")
        await serving.on_subject(self._here, subject, self._service, give)

    async def query(self, query: str, answer: serving.Answer) -> None:
        """Let integrations ask a query."""

        async def ask(subject: str, body: bytes) -> Any:
            tenant, name = subjects.caller_in(subject)
            if query not in self._rights(tenant, name).queries:
                raise errors.QueryForbidden(integration=name, query=query)
            return await answer(tenant, body)

        subject = subjects.asked_as_any(f"query.*.{query}")
        await serving.on_subject(self._here, subject, self._service, ask)

    def _rights(self, tenant: str, name: str) -> Integration:
        """Return what an integration may do: nothing where there is none of this name. Raises: TenantUnknown."""
        return self._policies.of(tenant).integrations.get(name, NOBODY)


def acting(body: bytes, actor: str) -> bytes:
    """Return a command's body with its actor; what is no object is left to whoever reads it to refuse."""
    try:
        given = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except codec.UNREADABLE:
        return body
    return msgspec.json.encode({**given, "actor": actor})
