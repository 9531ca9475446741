"""History, as far as the balance asks it."""

from typing import Any

import msgspec

from shared import streams
from shared.bus.deliveries import Message
from tests.ingest.running_ingest import RunningIngest, stored


class HistoryTwin:
    """Answers `known` as history does once the router has recorded CONTACTS: the first event of an id counts.

    `forgets`: ids that it does not know; `aside`: how those stand that are parked; `asked`: the requests it got.
    """

    def __init__(self, ingest: RunningIngest) -> None:
        self._ingest = ingest
        self.forgets: set[str] = set()
        self.forgets_all = False
        self.aside: dict[str, str] = {}
        self.asked: list[dict[str, Any]] = []

    async def answer(self, message: Message) -> None:
        request = msgspec.json.decode(message.body)
        self.asked.append(request)
        known: dict[str, Any] = {}
        subject = f"contact.*.{self._ingest.tenant}.>"
        for each in await stored(self._ingest.bus, streams.CONTACTS, subject):
            event = msgspec.json.decode(each.body)
            known.setdefault(event["id"], {"sequence": each.sequence, "raw": event["rawref"]})
        wanted = set(request["ids"]) - self.forgets - self.aside.keys()
        if self.forgets_all:
            wanted = set()
        found = {name: value for name, value in known.items() if name in wanted}
        aside = {
            name: {"state": state, "raw": known[name]["raw"]} for name, state in self.aside.items()
        }
        reply = {"position": request["min_seq"] + 5, "known": found, "set_aside": aside}
        await message.respond(msgspec.json.encode(reply))
