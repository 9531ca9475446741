"""Messages as handlers get them, and what becomes of one that cannot be handled: again, parked, or dead-lettered."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import structlog

from shared import errors
from shared.bus.storing import REFUSED_FOR_GOOD

PARKED_AFTER_FAILURES = 4
"""A message that failed so often for no known reason is set aside: after 0.4 s, so that those behind it hardly wait."""
IMPATIENT_SECONDS = 60.0
"""Of a tenant of whom a message was set aside so lately the next one that fails is set aside at once: what breaks one
breaks many, and those of others stand behind them."""
PARKED_ATTEMPT = 2
"""The attempt of a message that is handled again: it is not the first one."""

log = structlog.get_logger("serving")


class Later(Exception):
    """Not now: deliver it again after `delay_seconds`. `reason`: a stable word for the log."""

    def __init__(self, delay_seconds: float, reason: str) -> None:
        super().__init__(reason)
        self.delay_seconds = delay_seconds
        self.reason = reason


@dataclass(frozen=True, slots=True)
class ArrivedMessage:
    """A message as a handler gets it.

    `attempt`: 1 for the first delivery; `sequence`: 0 outside a stream; `reply`: where a request's answer is awaited;
    `headers`: of a message of a stream; `pending`: how many of its consumer came behind it when it was delivered.
    """

    subject: str
    body: bytes
    attempt: int
    sequence: int
    reply: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    pending: int = 0


@dataclass(frozen=True, slots=True)
class Failed:
    """A message that could not be handled. `error`: the exception's class or code; `failures`: how often it failed."""

    consumer: str
    arrived: ArrivedMessage
    error: str
    failures: int

    @property
    def tenant(self) -> str:
        """The tenant of a subject of CONTACTS, LEDGER and of fired timers; empty for any other."""
        return "".join(self.arrived.subject.split(".")[2:3])


Handle = Callable[[ArrivedMessage], Awaitable[None]]
"""Handles a message. It never acknowledges."""

Park = Callable[[Failed], Awaitable[None]]
"""Sets a message aside for good, so that it can be acknowledged. Raises: whatever keeps it from being set aside."""


def for_good(error: errors.TellonceError) -> bool:
    """Tell whether the delivery will never be done. A stream's codes are many, and a lost delivery is for ever.

    A stream that is gone or changed is no fault of the message.
    """
    if isinstance(error, errors.StreamDrift):
        return False
    if isinstance(error, errors.JetStreamRefused):
        return error.details.get("err_code") in REFUSED_FOR_GOOD
    return not error.retryable


class Patience:
    """Counts how often each message of a consumer failed, and has it parked.

    A process that dies in between counts anew. What a machine or another service lacks is never counted. An event of a
    type that nobody here knows counts, also one that stands in the ledger where the message must look: those behind it
    are not to wait for another version. What is no event at all is the handler's caller's to dead-letter.
    """

    def __init__(self, consumer: str, handle: Handle, park: Park) -> None:
        self._consumer = consumer
        self._handle = handle
        self._park = park
        self._failures: dict[int, int] = {}
        self._set_aside_at: dict[str, float] = {}

    async def take(self, arrived: ArrivedMessage) -> Literal["done", "parked"]:
        """Handle a message, or park it. Raises: what handling raised, while it is not to be parked."""
        outcome: Literal["done", "parked"] = "parked"
        try:
            await self._handled(arrived)
            outcome = "done"
        except errors.EventTypeUnknown as error:
            await self._count(arrived, error, error.code)
        except errors.TellonceError as error:
            foreign = isinstance(error, errors.NotAnEvent) and not error.place
            if foreign or not for_good(error):
                raise
            await self._set_aside(arrived, error, error.code)
        except (Later, OSError, TimeoutError):
            raise
        except Exception as error:  # noqa: BLE001  whatever it is, it is counted
            await self._count(arrived, error, type(error).__name__)
        self._failures.pop(arrived.sequence, None)
        return outcome

    async def _handled(self, arrived: ArrivedMessage) -> None:
        """Handle a message; a cancellation is a failure like any other where nobody cancelled us."""
        ours = asyncio.current_task()
        try:
            await self._handle(arrived)
        except asyncio.CancelledError as error:
            if ours is None or ours.cancelling():
                raise
            raise RuntimeError("what the handler waited for was cancelled") from error

    async def _count(self, arrived: ArrivedMessage, error: Exception, name: str) -> None:
        """Set a message aside that failed once too often. Raises: the error of one that did not."""
        self._failures[arrived.sequence] = self._failures.get(arrived.sequence, 0) + 1
        failed = Failed(self._consumer, arrived, name, self._failures[arrived.sequence])
        lately = asyncio.get_running_loop().time() - IMPATIENT_SECONDS
        impatient = self._set_aside_at.get(failed.tenant, lately) > lately
        if failed.failures < PARKED_AFTER_FAILURES and not impatient:
            raise error
        await self._set_aside(arrived, error, name)
        self._set_aside_at[failed.tenant] = asyncio.get_running_loop().time()

    async def _set_aside(self, arrived: ArrivedMessage, error: Exception, name: str) -> None:
        failures = self._failures.get(arrived.sequence, 1)
        await self._park(Failed(self._consumer, arrived, name, failures))
        facts = {"consumer": self._consumer, "error": name, "failures": failures}
        log.error("delivery_parked", exc_info=error, **facts)
