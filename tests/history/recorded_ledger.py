"""The ledger that version 0.2 wrote while it played its stories, and what history answered about it then.

Recorded once, from one stack that played parcel_locker, channel_switch, calls_again and missed_call; never made again:
from 0.2 on every version reads what an installation holds.
"""

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from services.history.answering import Answers
from services.history.pool import Pool
from services.history.positions import Positions
from shared import policy
from shared.codec import decode
from shared.ledger import Recorded, Write
from shared.policies import Policies
from shared.settings import Settings
from tests.history.caller import WAIT_SECONDS
from tests.history.handwritten_ledger import TENANT, TickingClock
from tests.support.memory_ledger import MemoryLedger

GOLDEN = Path(__file__).parent.parent / "golden"
ANSWERS = GOLDEN / "answers-0.2.json"

Question = tuple[str, dict[str, Any]]


class Line(msgspec.Struct):
    sequence: int
    stored: datetime
    event: msgspec.Raw


def recorded_ledger() -> list[Recorded]:
    """Return the events of the ledger, in order, byte for byte."""
    lines = (GOLDEN / "ledger-0.2.jsonl").read_bytes().splitlines()
    return [_recorded(msgspec.json.decode(each, type=Line)) for each in lines]


def _recorded(line: Line) -> Recorded:
    event = decode(bytes(line.event))
    return Recorded(line.sequence, line.stored, event.aggregate, event, bytes(line.event))


def recorded_answers() -> list[tuple[Question, dict[str, Any]]]:
    """Return what was asked about the ledger, and what was answered."""
    return [((name, asked), answer) for name, asked, answer in json.loads(ANSWERS.read_bytes())]


async def answers_about(ledger: list[Recorded], pool: Pool) -> Answers:
    """Return history's answers over a ledger in memory that holds the same at the same positions."""
    memory = MemoryLedger()
    last: dict[str, int] = {}
    for each in ledger:
        write = Write(each.aggregate, last.get(each.aggregate, 0), [each.event])
        last[each.aggregate] = (await memory.append(TENANT, [write])).position
    clock = TickingClock()
    clock.set(ledger[-1].stored)
    policies = Policies(policy.load(Settings().policy))
    return Answers(
        pool,
        memory,
        policies,
        Positions(agreed=True),
        clock,
        rows_max=500,
        wait_seconds=WAIT_SECONDS,
    )


CODE = frozenset({"code_version", "fold_version", "digest"})
"""Which code answered, and the digest of a packet that names it: a later one says so."""


MENDED = re.compile(r"\.said\[\d+\]\.at\Z")
"""It tells since fold 6 when something was said, not when it was decided on."""


def lacking(recorded: Any, answer: Any, where: str = "") -> list[str]:
    """Return where an answer is not what was recorded; what a later version adds is no difference."""
    if isinstance(recorded, dict) and isinstance(answer, dict):
        return [
            each
            for key, value in recorded.items()
            if key not in CODE or key not in answer
            for each in (
                lacking(value, answer[key], f"{where}.{key}")
                if key in answer
                else [f"{where}.{key}"]
            )
        ]
    if isinstance(recorded, list) and isinstance(answer, list) and len(recorded) == len(answer):
        pairs = enumerate(zip(recorded, answer, strict=True))
        return [each for k, (one, other) in pairs for each in lacking(one, other, f"{where}[{k}]")]
    return [] if recorded == answer or MENDED.search(where) else [where]
