"""Subjects: the same partition everywhere, and no token that could mean something else."""

import json
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from deploy.embedded import binaries
from deploy.embedded.nats import answers, choose_ports, config_text
from deploy.embedded.process import Child, Program
from shared import aggregates, comparing, streams, subjects
from shared.bus import connect
from shared.bus.deliveries import Message
from shared.bus_address import BusAddress
from shared.events import Lane
from tests.support.waiting import eventually

VECTORS = {"": 5, "a": 44, "foobar": 40}
"""FNV-1a (32 bit) modulo 64; the hashes 811c9dc5, e40c292c and bf9cf968 are the specification's own."""


@pytest.fixture
async def mapping_server(tmp_path: Path) -> AsyncIterator[str]:
    """A real server that maps `in.<key>` to `out.<partition>.<key>` by its own rule."""
    ports = choose_ports()[0]
    mappings = {"in.*": "out.{{partition(64,1)}}.{{wildcard(1)}}"}
    path = tmp_path / "nats.conf"
    config = config_text("mapping", tmp_path / "js", ports)
    path.write_text(f"{config}mappings: {json.dumps(mappings)}\n")

    async def ready() -> bool:
        return await answers(BusAddress(url=ports.url), "mapping")

    child = await Child.start(
        Program(
            name="nats",
            argv=(str(binaries.nats_server()), "--config", str(path)),
            log_path=tmp_path / "nats.log",
            ready=ready,
        )
    )
    await child.wait_ready()
    yield ports.url
    await child.stop()


async def test_a_partition_is_the_servers_own(mapping_server: str) -> None:
    """nats-server's `partition()` and ours agree on every key that was tried."""
    drawn = random.Random(7)
    letters = "abcdefghijklmnopqrstuvwxyz0123456789_-+@äß€"
    keys = ["".join(drawn.choices(letters, k=drawn.randint(1, 40))) for _ in range(500)]
    bus = await connect(mapping_server, "test")
    seen: dict[str, int] = {}

    async def note(message: Message) -> None:
        _, number, key = message.subject.split(".")
        seen[key] = int(number)

    await bus.subscribe("out.>", note)
    for key in keys:
        await bus.publish(f"in.{key}")

    async def all_seen() -> bool:
        return len(seen) == len(set(keys))

    await eventually(all_seen)
    assert seen == {key: subjects.partition(key) for key in keys}
    await bus.close()


@pytest.mark.parametrize(("key", "number"), VECTORS.items())
def test_a_partition_is_fnv_1a(key: str, number: int) -> None:
    """Known hashes of the specification, modulo 64."""
    assert subjects.partition(key) == number


def test_the_partitions_are_used_alike() -> None:
    """Of 64,000 ids none of the 64 gets less than half or more than twice its share."""
    counts = [0] * subjects.PARTITIONS
    for number in range(64_000):
        counts[subjects.partition(f"conv-{number}")] += 1
    assert min(counts) > 500
    assert max(counts) < 2_000


@pytest.mark.parametrize("text", ["", "a.b", "a b", "*", ">", "A", "ä", "a\n", "\0", "x" * 65])
def test_a_token_cannot_say_more_than_one_name(text: str) -> None:
    """No dots, wild cards, blanks or line ends; 64 characters at most."""
    assert not subjects.is_token(text)
    with pytest.raises(ValueError, match="not a subject token"):
        subjects.ledger("demo", text)


@pytest.mark.parametrize("aggregate", ["conv", "-conv", "conv-", "conv-a.b", "-"])
def test_an_aggregate_has_a_kind_and_an_id(aggregate: str) -> None:
    """Both stand in the subject, as tokens of their own; what lacks one is no aggregate."""
    with pytest.raises(ValueError, match="not a subject token"):
        subjects.ledger("demo", aggregate)


@pytest.mark.parametrize("kind", aggregates.KINDS.values(), ids=lambda kind: kind.prefix)
def test_a_kind_is_a_token_of_its_own(kind: aggregates.Kind) -> None:
    """A server's permissions see whole tokens only and must tell the writers apart."""
    aggregate = kind.of("a-b_1")
    subject = subjects.ledger("demo", aggregate)
    assert subject.split(".")[2:] == ["demo", kind.prefix, "a-b_1"]
    assert subjects.aggregate_in(subject) == aggregate
    assert subjects.timer("demo", aggregate, "due", "e1").split(".")[1:4] == [
        "demo",
        kind.prefix,
        "a-b_1",
    ]


LIVE = streams.contact_partitions("live")


def _consumers(lane: Lane, number: int, of: int) -> set[str]:
    """Return which of the router's consumers give what a tenant writes."""
    mine = {
        subjects.contact_partition(each) for each in streams.contact_partitions(lane, number, of)
    }
    every = [each for each in streams.router_consumers() if each.lane == lane]
    return {each.name for each in every if mine.intersection(comparing.filters(each.config))}


@pytest.mark.parametrize("lane", subjects.LANES)
@pytest.mark.parametrize("of", [1, 2, 3, 8, 20, 64, 100])
def test_tenants_share_out_the_consumers_of_a_lane(lane: Lane, of: int) -> None:
    """Each has some, none stands idle, and no two have the same where there are enough."""
    of_each = [_consumers(lane, number, of) for number in range(of)]
    consumers = streams.ROUTER_CONSUMERS[lane]
    assert all(of_each)
    assert len(set().union(*of_each)) == consumers
    assert sum(map(len, of_each)) == max(of, consumers)


@given(key=some.text(max_size=20), of=some.integers(min_value=1, max_value=100), data=some.data())
def test_a_contact_stands_in_its_tenants_part(key: str, of: int, data: some.DataObject) -> None:
    """And where there is one tenant, in the partition of its routing key, as before there were parts."""
    number = data.draw(some.integers(min_value=0, max_value=of - 1))
    partitions = streams.contact_partitions("written", number, of)
    subject = subjects.contact("demo", "email", key, "e1", partitions)
    assert int(subject.split(".")[1]) in partitions
    alone = subjects.contact("demo", "email", key, "e1", LIVE)
    assert int(alone.split(".")[1]) == subjects.partition(key)


def test_a_contacts_routing_key_is_only_hashed() -> None:
    """It may hold anything: it chooses the partition and does not stand in the subject."""
    subject = subjects.contact("demo", "email", "anna nowak@customer.example > *", "e1", LIVE)
    assert subject.split(".")[2:] == ["demo", "email", "e1"]
    mine = subjects.contact_partition(subjects.partition("x"))
    assert comparing.covers(mine, subjects.contact("demo", "email", "x", "e1", LIVE))


@pytest.mark.parametrize(
    ("wide", "narrow", "covers"),
    [
        ("contact.1.>", "contact.1.*.*", True),
        ("contact.1.>", "contact.1.demo.chat.e1", True),
        ("contact.1.>", "contact.1", False),
        ("contact.1.>", "contact.2.*.*", False),
        ("contact.*.>", "contact.1.>", True),
        ("contact.1.*.*", "contact.1.>", False),
        ("contact.1.*.*", "contact.1.demo.*", True),
        ("contact.1.*.*", "contact.1.*.*.*", False),
        ("contact.1.demo.*", "contact.1.*.*", False),
        ("fired.a", "fired.a", True),
    ],
)
def test_a_filter_covers_another(wide: str, narrow: str, covers: bool) -> None:
    """It gives all that the other one gives: a consumer may be widened without losing its place."""
    assert comparing.covers(wide, narrow) is covers


def test_a_repeated_event_is_where_its_aggregate_is() -> None:
    """`live.` and the ledger's subject: a client may follow an aggregate by name."""
    assert subjects.live("demo", "conv-1") == "live." + subjects.ledger("demo", "conv-1")
