"""A provider's HTTP API that throttles, loses its answers, or cuts them, as seldom or as often as it is told."""

import asyncio
import random
from collections.abc import Mapping
from typing import Literal

from typing_extensions import override

from deploy.story.providers import Provider
from deploy.story.providers.api import ApiAnswer, ApiRequest
from deploy.story.providers.api_server import ApiServer, written

Fault = Literal["throttles", "hangs_up", "cuts", "times_out"]
"""`throttles`: has not taken the message. The others take it: no answer, half of one, none and the connection stays."""
SLOWER = ApiAnswer({"error": "slow down"}, 429, headers={"retry-after": "0"})


class FaultyApi(ApiServer):
    """Answers as the providers' files say, but for the share of requests that meets a fault.

    `shares`: of each fault, in sum at most 1.
    """

    def __init__(
        self, providers: Mapping[str, Provider], seed: int, shares: Mapping[Fault, float]
    ) -> None:
        super().__init__(providers)
        self._chance = random.Random(seed)
        self._shares = shares

    @override
    async def reply(self, request: ApiRequest) -> bytes:
        match self._fault():
            case None:
                return written(self.take(request))
            case "throttles":
                return written(SLOWER)
            case "hangs_up":
                self.take(request)
                return b""
            case "cuts":
                whole = written(self.take(request))
                return whole[: self._chance.randrange(len(whole))]
            case "times_out":
                self.take(request)
                await asyncio.Event().wait()
                return b""

    def _fault(self) -> Fault | None:
        drawn = self._chance.random()
        for fault, share in self._shares.items():
            if drawn < share:
                return fault
            drawn -= share
        return None
