"""The router, broken: a contact with the word `poison` fails for no known reason while `$POISONED` is there."""

import os
import sys
from pathlib import Path

from services.router.app import NAME, run
from services.router.intake import Intake
from shared import events, serving

_take = Intake.take


async def _breaks(self: Intake, event: events.AnyEvent) -> None:
    text = getattr(event.personal, "text", "")
    if "poison" in text and Path(os.environ["POISONED"]).exists():
        raise KeyError(text)
    await _take(self, event)


if __name__ == "__main__":
    Intake.take = _breaks  # type: ignore[method-assign]
    sys.exit(serving.main(NAME, run))
