"""Who works for each account and each tenant, while a policy has it: made anew when its rules or secrets change."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from shared import tasks
from shared.readiness import Trouble

S = TypeVar("S")


class Part(Protocol):
    """What may have a trouble of its own."""

    @property
    def trouble(self) -> Trouble | None: ...


@dataclass(frozen=True, slots=True)
class Work:
    """What is done for ever for one account or tenant. `parts`: whose troubles are told."""

    runs: Iterable[Callable[[], Coroutine[None, None, None]]]
    parts: Iterable[Part] = ()


@dataclass(frozen=True, slots=True)
class _Standing(Generic[S]):
    served: S
    work: Work
    running: list[asyncio.Task[None]]


class Crew(Generic[S]):
    """`wanted`: whom to work for now, by name; `make`: the work for one of them."""

    def __init__(self, wanted: Callable[[], Mapping[str, S]], make: Callable[[S], Work]) -> None:
        self._wanted = wanted
        self._make = make
        self._standing: dict[str, _Standing[S]] = {}
        self._changed = asyncio.Event()

    async def take_up(self, changed: frozenset[str]) -> None:  # noqa: ARG002  all are looked at
        """Look again whom to work for; see `tenants.Changed`."""
        self._changed.set()

    def troubles(self) -> list[Trouble]:
        """Return what keeps parts from their work."""
        parts = (part for each in self._standing.values() for part in each.work.parts)
        return [part.trouble for part in parts if part.trouble]

    async def run(self) -> None:
        """Work for ever. Raises: what the first work that ends raises, RuntimeError when it raised nothing."""
        try:
            while True:
                self._changed.clear()
                await self._adapt()
                running = {task for each in self._standing.values() for task in each.running}
                looking = asyncio.create_task(self._changed.wait())
                await asyncio.wait({looking, *running}, return_when=asyncio.FIRST_COMPLETED)
                looking.cancel()
                for task in running:
                    if task.done():
                        _raise_end_of(task)
        finally:
            await tasks.end([task for each in self._standing.values() for task in each.running])

    async def _adapt(self) -> None:
        """End the work for whoever left or changed, and begin that for whoever came or changed."""
        wanted = self._wanted()
        over = [name for name, each in self._standing.items() if wanted.get(name) != each.served]
        await tasks.end([task for name in over for task in self._standing.pop(name).running])
        for name, served in wanted.items():
            if name not in self._standing:
                work = self._make(served)
                running = [asyncio.create_task(run()) for run in work.runs]
                self._standing[name] = _Standing(served, work, running)


def _raise_end_of(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.result()
    raise RuntimeError("work that must go on until the end has ended")
