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

from deploy.embedded.stack import EmbeddedStack, Plan
from services.ingest.channels import CHANNELS
from services.ingest.domain import mime
from services.ingest.domain.delivery import RawDelivery
from shared import subjects
from shared.bus import connect
from tests.bench.door import Door, Form
from tests.bench.figures import Ratios, Side, alternate, timed
from tests.ingest.running_ingest import GOLDEN, Sample, raw
from tests.ingest.test_channels import SAMPLES

ROUNDS = 5
PARSED = 500
MAILS_MAX = 400
ANSWERS = 300
TENANT = "demo"
BODY = b'{"message":"Where is my parcel?","email":"anna@customer.example"}'


async def compare(folder: Path) -> list[str]:
    """Return a line per comparison."""
    parsed = [await _parsing(raw(name, each.body, headers=each.headers)) for name, each in _json()]
    mails = await _mails()
    return [*(each.line() for each in (*parsed, *mails)), *await _answers(folder)]


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


async def _answers(folder: Path) -> list[str]:
    """Return how a door's answers, and the slowest twentieth, compare with a bare publish of the body, in turns."""
    form = Form()
    ingest = Plan(folder=folder).services["ingest"]
    answered, stored = [], []
    async with EmbeddedStack(Plan(folder=folder, services={"ingest": ingest})) as stack:
        door = await Door.open(stack.addresses["ingest"])
        bus = await connect(stack.bus_address("ingest"), "bench")
        for number in range(ANSWERS):
            answered.append(await timed(door.post(form.request(f"m{number}", BODY))))
            stored.append(await timed(bus.store(subjects.raw(TENANT, "form", "bench"), BODY)))
        door.close()
        await bus.close()
    middle, bare = statistics.median(answered), statistics.median(stored)
    slow, slow_bare = (statistics.quantiles(each, n=20)[-1] for each in (answered, stored))
    return [
        _line("door's answer p50 / bare publish p50", middle, bare),
        _line("door's answer p95 / bare publish p50", slow, bare),
        _line("door's answer p95 / bare publish p95", slow, slow_bare),
    ]


def _line(what: str, ours: float, bare: float) -> str:
    shown = f"{ours * 1e3:8.3f} ms {bare * 1e3:8.3f} ms"
    return f"{what:<44} {'':6} {ours / bare:7.2f} {'':7}   {shown}"
