"""A provider's list of calls, as whoever asks it sees it: by its own clock, from a moment on, so many in an answer."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from services.ingest.domain.fetching import FileAnswer, FileRequest, Unfetchable

CLOCK = "%Y-%m-%d %H:%M:%S"


@dataclass
class ListedCalls:
    """Answers in the place of `HttpFiles`. `away`: what it answers instead, in turn; `asked`: its requests."""

    key: str
    calls: list[dict[str, Any]] = field(default_factory=list)
    answers_max: int = 6_500
    away: list[Exception | bytes] = field(default_factory=list)
    asked: list[dict[str, list[str]]] = field(default_factory=list)

    async def get(self, asked: FileRequest, hosts: Sequence[str]) -> FileAnswer:
        """Return the list, the oldest first."""
        parts = urlsplit(asked.url)
        assert parts.hostname in hosts
        assert parts.path == "/calls/list"
        query = parse_qs(parts.query)
        self.asked.append(query)
        if self.away:
            instead = self.away.pop(0)
            if isinstance(instead, bytes):
                return FileAnswer(instead, "application/json")
            raise instead
        if asked.secret != {"auth-key": self.key}:
            raise Unfetchable("unavailable", passing=True, status=401)
        assert query["order"] == ["calldate asc"]
        since = query.get("from", [""])[0]
        found = [each for each in self.calls if _clock(each) >= since]
        found.sort(key=_clock)
        shown = [{name: each.get(name) for name in query["fields"][0].split(",")} for each in found]
        return FileAnswer(json.dumps(shown[: self.answers_max]).encode(), "application/json")


def _clock(call: dict[str, Any]) -> str:
    return datetime.fromisoformat(call["calldate"]).strftime(CLOCK)
