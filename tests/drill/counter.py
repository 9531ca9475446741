"""Who works at a stack in a drill, and what stands there."""

import contextlib
import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typing_extensions import override

from deploy.embedded.stack import EmbeddedStack
from services.history import following, generations
from services.history.digest import Digest, digest_of
from services.history.projection import Projection
from services.history.store import owner_session
from shared import policy as policies
from shared import secret_values, settings, streams, subjects
from shared.bus import Bus
from shared.codec import PlainCodec
from shared.events import AnyEvent, ContactOffered, FormSubmitted
from shared.ledger import Recorded, identity
from shared.ledger.follow import follow
from shared.ledger.jetstream import NatsLedger
from shared.timers import OFFER_EXPIRY
from tests.faults.asking import request
from tests.faults.observed import Observed
from tests.faults.shop import Shop

ACCOUNT = "form/contact"
REBUILD_SECONDS = 90.0
BATCH_MAX = 1_000


class Counter(Shop):
    """A shop's counter: customers' forms, a colleague's commands, and the ledger as it is read."""

    def __init__(self, stack: EmbeddedStack, bus: Bus, policy: Path) -> None:
        observed = Observed(seed=time.time_ns(), policy=policies.load(policy))
        super().__init__(stack, bus, observed, secret_values.load_secrets(settings.Settings()))
        self.seen: list[AnyEvent] = []

    @override
    def _see(self, recorded: Recorded) -> None:
        self.seen.append(recorded.event)

    async def form(self, marker: str) -> None:
        """Deliver what somebody new sends. Raises: AssertionError when no door takes it."""
        body = {"submission_id": marker, "email": f"{marker}@mail.example", "message": marker}
        assert await self.deliver(self.delivery(ACCOUNT, body)), f"the form {marker} is not taken"

    def decided(self, marker: str) -> int:
        """Return how often a form stands in the ledger."""
        forms = [each for each in self.seen if isinstance(each, FormSubmitted)]
        return sum(each.personal is not None and each.personal.text == marker for each in forms)

    def offers(self, *kinds: type[AnyEvent]) -> set[str]:
        """Return the offers that there are such events of."""
        found: list[Any] = [each for each in self.seen if isinstance(each, kinds)]
        return {each.open.offer_id for each in found}

    def waiting(self) -> set[str]:
        """Return the offers that nobody has answered, nor their deadline."""
        return self.offers(ContactOffered) - self.offers(*OFFER_EXPIRY.answered_by)


@dataclass(frozen=True, slots=True)
class Standing:
    """A ledger up to a position: its identity, the digest of all that stands there, that of the rows made of it."""

    ledger: str | None
    position: int
    contents: str
    rows: str


async def standing(bus: Bus, position: int, rows: str) -> Standing:
    """Read a ledger from its beginning up to a position."""
    hashed = hashlib.sha256()
    async with contextlib.aclosing(follow(bus, streams.LEDGER, 0)) as batches:
        async for batch in batches:
            for each in batch:
                if each.sequence <= position:
                    hashed.update(repr((each.sequence, each.stored, each.subject)).encode())
                    hashed.update(repr(sorted(each.headers.items())).encode() + each.body)
            if batch[-1].sequence >= position:
                break
    return Standing(await identity.founded(bus), position, hashed.hexdigest(), rows)


async def live_rows(bus: Bus) -> tuple[int, str]:
    """Return where the projection of a running stack stands, and the digest of its rows, which a rebuild must share."""
    subject = subjects.ops("history", "rebuild")
    answer = await request(bus, subject, {}, REBUILD_SECONDS, REBUILD_SECONDS)
    assert answer["live"] == answer["rebuilt"], answer
    return answer["position"], answer["live"]


async def rows_of(bus: Bus, dsn: str, position: int) -> str:
    """Return the digest of rows that are made of a ledger up to a position, in an empty database."""
    ledger = NatsLedger(bus, PlainCodec())
    async with owner_session(dsn, watched=False) as session:
        await generations.migrate(session)
        projection = await Projection.take_over(session, ledger)
        async with contextlib.aclosing(following.followed(ledger, 0, BATCH_MAX)) as batches:
            async for batch in batches:
                await projection.apply([each for each in batch if each.sequence <= position])
                if projection.position >= position:
                    break
        async with session.transaction("repeatable_read", readonly=True):
            digest: Digest = await digest_of(session)
    return digest.whole
