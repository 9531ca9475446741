"""One answer per command: what was refused is refused alike for a day, whatever has changed since.

What a command did is remembered by what it wrote (`shared/memory.py`). A refusal wrote nothing: it is kept in the
stream REFUSALS, bounded in time and size, where every process of a service finds it (docs/adr/0028).
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol
from weakref import WeakValueDictionary

import msgspec

from shared import commands, ids, requests, streams, subjects
from shared.bus import Bus
from shared.errors import CommandIdReused, CommandTooOld, TellonceError, work

NOT_KEPT = (CommandTooOld, CommandIdReused)
"""The one stays as it is for ever, the other is said because of what is kept."""
KINDS: dict[str, type[TellonceError]] = {
    kind.code: kind
    for kind in vars(work).values()
    if isinstance(kind, type) and issubclass(kind, TellonceError) and kind is not TellonceError
}
"""The refusals of commands, by code. What the machinery raises is of a moment and never kept."""


class KeptRefusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why a command was refused. `sha256`: of its body."""

    sha256: str
    code: str
    message: str
    details: dict[str, str | int | bool | None] = {}

    def again(self) -> TellonceError | None:
        """Return the refusal as it was; `None` for one of a newer version."""
        kind = KINDS.get(self.code)
        return None if kind is None else kind(self.message, **self.details)


class Refusals(Protocol):
    """Keeps refusals by subject, for as long as a command is taken."""

    async def find(self, subject: str) -> KeptRefusal | None:
        """Return what is kept. Raises: BusUnavailable."""
        ...

    async def keep(self, subject: str, refusal: KeptRefusal) -> None:
        """Keep it, unless another one was kept just before. Raises: BusUnavailable, JetStreamRefused."""
        ...


class NatsRefusals:
    """Refusals in the stream REFUSALS: one per subject, the oldest dropped first."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def find(self, subject: str) -> KeptRefusal | None:
        """See `Refusals.find`."""
        found = await self._bus.leader_get(streams.REFUSALS, last_by_subject=subject)
        return None if found is None else msgspec.json.decode(found.body, type=KeptRefusal)

    async def keep(self, subject: str, refusal: KeptRefusal) -> None:
        """See `Refusals.keep`."""
        await self._bus.store(subject, msgspec.json.encode(refusal), msg_id=subject)


class OneAnswer:
    """Answers each command once. Of those with one id only one is under way at a time."""

    def __init__(self, refusals: Refusals) -> None:
        self._refusals = refusals
        self._under_way: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def to(
        self,
        tenant: str,
        command: commands.Command,
        carry_out: Callable[[], Awaitable[commands.Done]],
    ) -> commands.Done:
        """Return what carrying it out gives. It is not carried out when it was refused before.

        Raises: the refusal, of now or of then; CommandIdReused; BusUnavailable when a refusal cannot be kept: it is not
        told then either.
        """
        subject, sha256 = refused_on(tenant, command), requests.sha256_of(command)
        async with self._under_way.setdefault(subject, asyncio.Lock()):
            await self._refuse_again(subject, command, sha256)
            try:
                return await carry_out()
            except TellonceError as error:
                if not _is_kept(error):
                    raise
                kept = KeptRefusal(
                    sha256=sha256, code=error.code, message=str(error), details=error.details
                )
                await self._refusals.keep(subject, kept)
                await self._refuse_again(subject, command, sha256)
                raise

    async def _refuse_again(self, subject: str, command: commands.Command, sha256: str) -> None:
        """Raises: the refusal that is kept, if one is; CommandIdReused."""
        kept = await self._refusals.find(subject)
        if kept is None:
            return
        if kept.sha256 != sha256:
            raise CommandIdReused(command_id=command.command_id)
        refusal = kept.again()
        if refusal is not None:
            raise refusal


def refused_on(tenant: str, command: commands.Command) -> str:
    """Return where a refusal is kept: ids count for the conversation, else for who gives the command."""
    about = (
        command.conversation if isinstance(command, commands.ConversationCommand) else command.actor
    )
    return subjects.refused(tenant, ids.scoped_id("refused", about, command.command_id))


def _is_kept(error: TellonceError) -> bool:
    """Tell whether it is the command that was refused: what is of a moment may end otherwise the next time."""
    return KINDS.get(error.code) is type(error) and not (
        error.retryable or isinstance(error, NOT_KEPT)
    )
