"""What arrives: parsing of each channel against reading its JSON alone, of mails against the standard parser, and a
door's answers against a bare durable publish of the same bytes."""

import email
import email.policy
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx

from deploy.embedded.stack import EmbeddedStack, Plan
from services.ingest.channels import CHANNELS
from services.ingest.domain import mime, webhook_signature
from services.ingest.domain.delivery import RawDelivery
from shared import policy, settings, subjects
from shared.bus import connect
from tests.bench.figures import Ratios, Side, alternate
from tests.ingest.running_ingest import GOLDEN, Sample, raw
from tests.ingest.test_channels import SAMPLES

ROUNDS = 5
PARSED = 500
MAILS_MAX = 400
ANSWERS = 300
ACCOUNT = "form/contact"
BODY = b'{"message":"Where is my parcel?","email":"anna@customer.example"}'
HEADERS = {"content-type": "application/json"}


async def compare(folder: Path) -> list[str]:
    """Return a line per comparison."""
    parsed = [await _parsing(raw(name, each.body, headers=each.headers)) for name, each in _json()]
    mails = await _mails()
    return [*(each.line() for each in (*parsed, *mails)), await _answers(folder)]


# -- parsing ---------------------------------------------------------------------------------------------


def _json() -> Iterator[tuple[str, Sample]]:
    """Give the samples of the channels that are JSON."""
    for name, sample in SAMPLES.items():
        if sample.body.startswith((b"{", b"[")):
            yield name, sample


async def _parsing(delivery: RawDelivery) -> Ratios:
    channel = CHANNELS[delivery.channel]
    return await alternate(
        f"parse of {delivery.channel} / json.loads",
        ROUNDS,
        PARSED,
        _over([delivery] * PARSED, channel.parse),
        _over([delivery.body] * PARSED, json.loads),
    )


async def _mails() -> list[Ratios]:
    """Mails of TELLONCE_CORPUS if it is set, else our golden ones: their MIME alone, and all that an event says."""
    corpus = os.environ.get("TELLONCE_CORPUS")
    files = sorted((Path(corpus) if corpus else GOLDEN).rglob("*.eml"))[:MAILS_MAX]
    bodies = [each.read_bytes() for each in files]
    sides = {
        "MIME": _over(bodies, mime.read),
        "parse": _over([raw("email", body) for body in bodies], CHANNELS["email"].parse),
    }
    standard = _over(bodies, _standard)
    return [
        await alternate(
            f"{name} of {len(bodies)} mails / the standard parser",
            ROUNDS,
            len(bodies),
            side,
            standard,
        )
        for name, side in sides.items()
    ]


def _standard(body: bytes) -> list[object]:
    """Parse a mail and decode its parts, as whoever wants its text must."""
    mail = email.message_from_bytes(body, policy=email.policy.compat32)
    return [part.get_payload(decode=True) for part in mail.walk() if not part.is_multipart()]


def _over(things: Sequence[object], act: Callable[..., object]) -> Side:
    async def side(_: int) -> float:
        began = time.perf_counter()
        for each in things:
            act(each)
        return time.perf_counter() - began

    return side


# -- the door --------------------------------------------------------------------------------------------


async def _answers(folder: Path) -> str:
    """Return how the slowest twentieth of a door's answers compares with a bare publish of the body, in turns."""
    chosen = settings.load({})
    rules = policy.load(chosen.policy)
    secret = settings.load_secrets(chosen, {})[rules.accounts[ACCOUNT].secrets["signing"]]
    ingest = Plan(folder=folder).services["ingest"]
    async with (
        EmbeddedStack(Plan(folder=folder, services={"ingest": ingest})) as stack,
        httpx.AsyncClient() as client,
    ):
        door = f"{stack.addresses['ingest']}/in/{rules.tenant}/{ACCOUNT}"
        bus = await connect(stack.addresses["nats"], "bench")
        answered, stored = [], []
        for number in range(ANSWERS):
            began = time.perf_counter()
            await client.post(door, content=BODY, headers=_signed(secret, f"m{number}"))
            answered.append(time.perf_counter() - began)
            began = time.perf_counter()
            await bus.store(subjects.raw(rules.tenant, "form", "bench"), BODY)
            stored.append(time.perf_counter() - began)
        await bus.close()
    ours, bare = statistics.quantiles(answered, n=20)[-1], statistics.median(stored)
    what = "door's answer p95 / bare publish p50"
    return (
        f"{what:<44} {'':6} {ours / bare:7.2f} {'':7}   {ours * 1e3:8.3f} ms {bare * 1e3:8.3f} ms"
    )


def _signed(secret: str, webhook_id: str) -> dict[str, str]:
    now = int(time.time())
    return {
        **HEADERS,
        "webhook-id": webhook_id,
        "webhook-timestamp": str(now),
        "webhook-signature": webhook_signature.sign(secret, webhook_id, now, BODY),
    }
