"""Kept refusals in memory: the twin of `shared.refusals.NatsRefusals`."""

from shared.refusals import KeptRefusal


class MemoryRefusals:
    """The twin. `kept`: by subject; the first one stays."""

    def __init__(self) -> None:
        self.kept: dict[str, KeptRefusal] = {}

    async def find(self, subject: str) -> KeptRefusal | None:
        """See `Refusals.find`."""
        return self.kept.get(subject)

    async def keep(self, subject: str, refusal: KeptRefusal) -> None:
        """See `Refusals.keep`."""
        self.kept.setdefault(subject, refusal)
