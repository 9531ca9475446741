"""One answer per command: what was refused is refused alike for a day, whatever has changed since.

What a command did is remembered by what it wrote (`shared/memory.py`). A refusal wrote nothing: it is kept in the
stream REFUSALS, bounded in time and size, where every process of a service finds it (docs/adr/0028).
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Protocol
from weakref import WeakValueDictionary

import msgspec

from shared import commands, ids, requests, streams, subjects
from shared.bus import Bus
from shared.codec import UNREADABLE
from shared.errors import CommandIdReused, CommandTooOld, TellonceError, work

NOT_KEPT = (CommandTooOld, CommandIdReused)
"""The one stays as it is for ever, the other is said because of what is kept."""
KINDS: dict[str, type[TellonceError]] = {
    kind.code: kind
    for kind in vars(work).values()
    if isinstance(kind, type) and issubclass(kind, TellonceError) and kind is not TellonceError
}
"""The refusals of commands, by code. What the machinery raises is of a moment and never kept."""

KEPT_TEXT_MAX_CHARACTERS = 512
"""Of the sentence and of each detail of a refusal."""


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
        """Return what is kept; `None` also for what is no refusal. Raises: BusUnavailable."""
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
        if found is None:
            return None
        with contextlib.suppress(*UNREADABLE):
            return msgspec.json.decode(found.body, type=KeptRefusal)
        return None

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
        subject = refused_on(tenant, command)
        async with self._under_way.setdefault(subject, asyncio.Lock()):
            await self._refuse_again(subject, command)
            try:
                return await carry_out()
            except TellonceError as error:
                if not _is_kept(error):
                    raise
                await self._refusals.keep(subject, _kept(command, error))
                await self._refuse_again(subject, command)
                raise

    async def _refuse_again(self, subject: str, command: commands.Command) -> None:
        """Raises: the refusal that is kept, if one is; CommandIdReused."""
        kept = await self._refusals.find(subject)
        if kept is None:
            return
        known = (requests.sha256_of(command), requests.sha256_before_verbs(command))
        if kept.sha256 not in known:
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


def _kept(command: commands.Command, error: TellonceError) -> KeptRefusal:
    """Return a refusal as it is kept, and told from then on: the store is for many, so no text in it is long."""
    return KeptRefusal(
        sha256=requests.sha256_of(command),
        code=error.code,
        message=str(error)[:KEPT_TEXT_MAX_CHARACTERS],
        details={
            name: value[:KEPT_TEXT_MAX_CHARACTERS] if isinstance(value, str) else value
            for name, value in error.details.items()
        },
    )


def _is_kept(error: TellonceError) -> bool:
    """Tell whether it is the command that was refused: what is of a moment may end otherwise the next time."""
    return KINDS.get(error.code) is type(error) and not (
        error.retryable or isinstance(error, NOT_KEPT)
    )
