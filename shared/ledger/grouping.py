"""Appends that wait at the same time go to the server as one atomic batch.

A batch costs the server some milliseconds whatever its size, a message in it some hundredths of one (docs/adr/0063).
So what comes while batches are under way waits for the next, together, as far as it touches different aggregates. A
group is all or nothing: when the server refuses it, its halves are tried, down to what is refused by itself. What was
overtaken while it waited is not sent.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from shared import errors
from shared.bus.deliveries import ApiError, PubAck
from shared.ledger.plan import Outgoing, Plan

GROUP_MESSAGES_MAX = 256
"""Beyond that a group gains little, and whoever follows holds it until its end (FOLLOW_BATCH_EVENTS)."""
GROUP_BYTES_MAX = 1024 * 1024
WRONG_LAST_SEQUENCE = 10071

OVERTAKEN = PubAck(error=ApiError(err_code=WRONG_LAST_SEQUENCE))
"""What the server would answer; whoever gets it asks the leader."""

Send = Callable[[Sequence[Outgoing]], Awaitable[PubAck]]
"""Sends messages as one batch and returns the stream's answer; raises BusUnavailable when there is none."""


@dataclass(slots=True, eq=False)
class _Waiting:
    """An append that waits for its group, and then for the server's answer."""

    plan: Plan
    answer: "asyncio.Future[PubAck]"
    expects: dict[tuple[str, str], int] = field(init=False)
    size_bytes: int = field(init=False)

    def __post_init__(self) -> None:
        guarded = {guard.aggregate: guard.expected for guard in self.plan.guards}
        self.expects = {
            (self.plan.tenant, aggregate): expected
            for aggregate, expected in {**self.plan.expected, **guarded}.items()
        }
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
            task = asyncio.get_running_loop().create_task(self._see_to(group))
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
            more, more_bytes = messages + len(each.plan.messages), size_bytes + each.size_bytes
            fits = more <= GROUP_MESSAGES_MAX and more_bytes <= GROUP_BYTES_MAX
            if not group or (fits and touched.isdisjoint(each.expects)):
                group.append(each)
                messages, size_bytes = more, more_bytes
            else:
                left.append(each)
            touched.update(each.expects)
        self._waiting = left
        return group

    async def _see_to(self, group: Sequence[_Waiting]) -> None:
        """Settle a group; nobody of it waits for ever, whatever ends this."""
        try:
            await self._settle(group)
        finally:
            _fail(group, errors.TimedOut())

    async def _settle(self, group: Sequence[_Waiting]) -> None:
        """Send a group and give each its part of the answer; one that is refused is sent by halves.

        So is one that cannot be sent: what it fails by belongs to one of them, not to all.
        """
        ack: PubAck | None = None
        try:
            ack = await self._send([message for each in group for message in each.plan.messages])
        except errors.BusUnavailable as error:
            _fail(group, error)
            return
        except Exception as error:  # noqa: BLE001  whatever it is, it is told to whose it is
            if len(group) == 1:
                _fail(group, error)
                return
        if ack is not None and ack.error is None:
            self._share(group, ack)
        elif ack is not None and len(group) == 1:
            group[0].take(ack)
        else:
            half = len(group) // 2
            await self._settle(group[:half])
            await self._settle(group[half:])

    def _share(self, group: Sequence[_Waiting], ack: PubAck) -> None:
        """Give each the end of its own messages: a batch stands without a gap, in the order in which it was sent."""
        whole = sum(len(each.plan.messages) for each in group)
        if ack.count != whole or ack.duplicate:
            _fail(group, errors.TimedOut("the answer does not acknowledge the batch"))
            return
        end = ack.seq - whole
        stands: dict[tuple[str, str], int] = {}
        for each in group:
            for message in each.plan.messages:
                end += 1
                stands[each.plan.tenant, message.aggregate] = end
            each.take(msgspec.structs.replace(ack, seq=end, count=len(each.plan.messages)))
        self._overtake(stands)

    def _overtake(self, stands: dict[tuple[str, str], int]) -> None:
        """Refuse at once what waits and expects an aggregate where it stands no more: its turn would be in vain."""
        for each in self._waiting:
            if any(stands.get(place, 0) > expected for place, expected in each.expects.items()):
                each.take(OVERTAKEN)


def _fail(group: Sequence[_Waiting], error: Exception) -> None:
    for each in group:
        each.fail(error)
