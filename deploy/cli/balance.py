"""`tellonce balance`: what became of every delivery, as it was counted; `--prove` parses RAW again and compares.

Prints one JSON object; progress goes to standard error. Exit codes: 0 all accounted for, 1 not, or refused,
2 not reached.
"""

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from typing import Any

from deploy.cli.ask import EXIT_NOT_REACHED, EXIT_REFUSED, bus_address
from deploy.embedded import wire
from shared import errors, queries, subjects
from shared.bus_address import BusAddress

REPLY_SECONDS = 60.0
"""A proof parses 2,000 positions of RAW per answer."""
SETTLED = ("accepted", "duplicate", "ignored", "quarantined", "skipped")
COUNTS = ("received", *SETTLED, "parked", "missing")
PAUSE_SECONDS = 0.5
STANDSTILL_SECONDS = 60.0
"""So long counting may stand still before it is not waited for any longer."""

Counts = Counter[str]


class _Refused(Exception):
    """The answer is a refusal."""


def balance(chosen: argparse.Namespace) -> int:
    """Show how deliveries are accounted for."""
    if not subjects.is_token(chosen.tenant):
        return _show({"error": errors.TenantUnknown(tenant=chosen.tenant).problem()}, EXIT_REFUSED)
    asker = _Asker(bus_address(chosen), subjects.query(chosen.tenant, queries.AskBalance.name))
    try:
        counted = asker.counted()
        if not chosen.prove:
            return _show(counted, _code(counted["missing"] == 0))
        found = prove(asker, counted)
        return _show(found, _code(found["proved"]["missing"] == 0 and not found["differs"]))
    except _Refused as refused:
        return _show(refused.args[0], EXIT_REFUSED)
    except (wire.NotReached, ValueError) as error:
        print(f"not reached ({error})", file=sys.stderr)
        return EXIT_NOT_REACHED


class _Asker:
    """Asks the balance of a tenant."""

    def __init__(self, bus: BusAddress, subject: str) -> None:
        self._bus, self._subject = bus, subject

    def ask(self, **question: Any) -> dict[str, Any]:
        """Raises: NotReached, _Refused."""
        payload = json.dumps(question).encode()
        reply = asyncio.run(
            wire.request(self._bus, self._subject, payload, timeout_seconds=REPLY_SECONDS)
        )
        answer: dict[str, Any] = json.loads(reply)
        if "error" in answer:
            raise _Refused(answer)
        return answer

    def counted(self) -> dict[str, Any]:
        """Return what is counted once it reaches where RAW ended, or stands still. Raises: NotReached, _Refused."""
        answer = self.ask()
        end, moved = answer["end"], time.monotonic()
        while answer["to"] < end and time.monotonic() < moved + STANDSTILL_SECONDS:
            print(f"counted up to position {answer['to']} of {end}", file=sys.stderr)
            time.sleep(PAUSE_SECONDS)
            before, answer = answer, self.ask()
            if answer["to"] > before["to"]:
                moved = time.monotonic()
        return answer


def prove(asker: _Asker, counted: dict[str, Any]) -> dict[str, Any]:
    """Parse RAW again up to where each account was counted; return both results and what differs.

    `complete`: RAW still holds everything that was counted; else the results cannot be compared.
    """
    proved: dict[str, Counts] = {}
    first = counted["from"]
    while first <= counted["to"]:
        answer = asker.ask(**{"from": first, "to": counted["to"]})
        for name, account in answer["accounts"].items():
            proved.setdefault(name, Counter()).update(_counts(account))
        print(f"parsed up to position {answer['to']} of {counted['to']}", file=sys.stderr)
        first = answer["to"] + 1
    for name, account in counted["accounts"].items():
        _go_on(asker, name, counted["to"] + 1, account["to"], proved)
    total: Counts = sum(proved.values(), Counter())
    complete = counted["from"] <= 1
    return {
        "proved": {name: total[name] for name in COUNTS},
        "counted": {name: counted[name] for name in COUNTS},
        "from": counted["from"],
        "to": counted["to"],
        "complete": complete,
        "differs": _differs(counted["accounts"], proved) if complete else {},
    }


def _go_on(asker: _Asker, name: str, first: int, last: int, proved: dict[str, Counts]) -> None:
    """Parse the deliveries of an account that was counted further than the others."""
    channel, _, account = name.partition("/")
    while first <= last:
        answer = asker.ask(channel=channel, account=account, **{"from": first, "to": last})
        proved.setdefault(name, Counter()).update(_counts(answer))
        first = answer["to"] + 1


def _differs(counted: dict[str, Any], proved: dict[str, Counts]) -> dict[str, Any]:
    """Return the accounts whose results differ. What was missing or parked may have been decided meanwhile."""
    found = {}
    for name in sorted({*counted, *proved}):
        kept, again = Counter(_counts(counted.get(name, {}))), proved.get(name, Counter())
        alike = kept["received"] == again["received"] and all(
            kept[fate] <= again[fate] <= kept[fate] + kept["missing"] + kept["parked"]
            for fate in SETTLED
        )
        if not alike:
            found[name] = {
                "counted": {key: kept[key] for key in COUNTS},
                "proved": {key: again[key] for key in COUNTS},
            }
    return found


def _counts(answer: dict[str, Any]) -> dict[str, int]:
    return {name: int(answer.get(name, 0)) for name in COUNTS}


def _code(good: bool) -> int:
    return 0 if good else EXIT_REFUSED


def _show(answer: dict[str, Any], code: int) -> int:
    print(json.dumps(answer, ensure_ascii=False))
    return code
