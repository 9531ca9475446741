"""Appends that wait at the same time go to the server as one atomic batch.

A batch costs the server some milliseconds whatever its size, a message in it some hundredths of one (docs/adr/0063).
So what comes while batches are under way waits for the next, together, as far as it touches different aggregates. A
group is all or nothing: when the server refuses it, its halves are tried, down to what is refused by itself.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from shared import errors
from shared.bus.deliveries import PubAck
from shared.ledger.plan import Outgoing, Plan

GROUP_MESSAGES_MAX = 256
"""Beyond that a group gains little, and whoever follows holds it until its end (FOLLOW_BATCH_EVENTS)."""
GROUP_BYTES_MAX = 1024 * 1024

Send = Callable[[Sequence[Outgoing]], Awaitable[PubAck]]
"""Sends messages as one batch and returns the stream's answer; raises BusUnavailable when there is none."""


@dataclass(slots=True, eq=False)
class _Waiting:
    """An append that waits for its group, and then for the server's answer."""

    plan: Plan
    answer: "asyncio.Future[PubAck]"
    touches: frozenset[tuple[str, str]] = field(init=False)
    size_bytes: int = field(init=False)

    def __post_init__(self) -> None:
        guarded = (guard.aggregate for guard in self.plan.guards)
        self.touches = frozenset(
            (self.plan.tenant, each) for each in (*self.plan.expected, *guarded)
        )
        self.size_bytes = sum(len(each.body) for each in self.plan.messages)

    def take(self, ack: PubAck) -> None:
        """Hand over the answer, if it is still waited for."""
        if not self.answer.done():
            self.answer.set_result(ack)

    def fail(self, error: Exception) -> None:
        """Say that there is no answer."""
        if not self.answer.done():
            self.answer.set_exception(error)


class Groups:
    """The appends of one client on their way. `open_batches`: how many groups are under way at most."""

    def __init__(self, send: Send, open_batches: int) -> None:
        self._send = send
        self._width = open_batches
        self._waiting: list[_Waiting] = []
        self._under_way: set[asyncio.Task[None]] = set()

    async def send(self, plan: Plan) -> PubAck:
        """Send an append once, alone or with others; return the stream's answer as if it had been sent alone.

        Raises: BusUnavailable when there is no answer: it may be stored or not.
        """
        loop = asyncio.get_running_loop()
        waiting = _Waiting(plan, loop.create_future())
        self._waiting.append(waiting)
        loop.call_soon(self._start)
        return await waiting.answer

    def _start(self) -> None:
        """Put groups under way while there is room for one and somebody waits."""
        while self._waiting and len(self._under_way) < self._width:
            group = self._next_group()
            if not group:
                return
            task = asyncio.get_running_loop().create_task(self._settle(group))
            self._under_way.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._start()

    def _next_group(self) -> list[_Waiting]:
        """Take whoever waits and touches nothing that an earlier one touches, up to the limits of a group."""
        group: list[_Waiting] = []
        left: list[_Waiting] = []
        touched: set[tuple[str, str]] = set()
        messages = size_bytes = 0
        for each in self._waiting:
            if each.answer.done():
                continue
            messages += len(each.plan.messages)
            size_bytes += each.size_bytes
            fits = messages <= GROUP_MESSAGES_MAX and size_bytes <= GROUP_BYTES_MAX
            if not group or (fits and touched.isdisjoint(each.touches)):
                group.append(each)
            else:
                left.append(each)
            touched |= each.touches
        self._waiting = left
        return group

    async def _settle(self, group: Sequence[_Waiting]) -> None:
        """Send a group and give each its part of the answer; a refused one is sent by halves."""
        try:
            ack = await self._send([message for each in group for message in each.plan.messages])
        except Exception as error:  # noqa: BLE001  whatever it is, nobody may wait for ever
            for each in group:
                each.fail(error)
            return
        if len(group) == 1:
            group[0].take(ack)
        elif ack.error is None:
            _share(group, ack)
        else:
            half = len(group) // 2
            await self._settle(group[:half])
            await self._settle(group[half:])


def _share(group: Sequence[_Waiting], ack: PubAck) -> None:
    """Give each the end of its own messages: a batch stands without a gap, in the order in which it was sent."""
    whole = sum(len(each.plan.messages) for each in group)
    if ack.count != whole or ack.duplicate:
        for each in group:
            each.fail(errors.TimedOut("the answer does not acknowledge the batch"))
        return
    end = ack.seq - whole
    for each in group:
        count = len(each.plan.messages)
        end += count
        each.take(msgspec.structs.replace(ack, seq=end, count=count))
