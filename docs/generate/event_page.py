"""The page of all event types."""

import sys
from collections.abc import Iterator
from typing import get_args

from msgspec.inspect import StructType

from docs.generate.markdown import (
    attributes,
    documented,
    field_rows,
    fields,
    page,
    paragraphs,
    parts_below,
    shape,
    structs,
    structs_in,
    table,
)
from shared import aggregates, events
from shared.events import packet, parking, people

AGGREGATES = {
    "contact": (
        "conv-<conversation>",
        "router, which repeats what ingest or notify wrote to CONTACTS",
    ),
    "calls": (
        "conv-<conversation>",
        "router, which repeats what ingest wrote to CONTACTS",
    ),
    "shop": ("conv-<conversation>", "router, which repeats what ingest wrote to CONTACTS"),
    "conversation": ("conv-<conversation>", "router"),
    "customer": ("cust-<customer>", "router"),
    "identity": ("ident-<keyed hash>", "router"),
    "agent": ("agent-<agent>", "router"),
    "policy": (aggregates.TENANT_POLICY, "router"),
    "announcement": (aggregates.DESK, "router"),
    "account": ("chan-<channel>-<account>", "router, which repeats what ingest wrote to CONTACTS"),
    "lanes": ("lane-<lane>", "router"),
    "notification": ("notif-<conversation>", "notify"),
    "ledger": (aggregates.LEDGER_IDENTITY, "the bootstrap job and `tellonce ledger`"),
}
"""Who writes an event type to which aggregate of the LEDGER."""

PARKED_ON = {
    "contact": ("chan-<channel>-<account>", "router"),
    "work": ("work-<consumer>", "router"),
    "entry": ("entry-<sequence in LEDGER>", "router"),
}


def families() -> dict[str, list[str]]:
    """Return the event types by the module that defines them, in the union's order."""
    found: dict[str, list[str]] = {}
    for tag, kind in events.event_types().items():
        found.setdefault(kind.__module__, []).append(tag)
    return found


def aggregate_of(kind: type[events.AnyEvent]) -> tuple[str, str]:
    """Return the aggregate of an event type and who writes it there."""
    if kind in get_args(events.AccountEvent):
        return AGGREGATES["account"]
    if kind is events.OrderChanged:
        return AGGREGATES["customer"]
    if kind is events.CommandNoted:
        (conversation, writer), (agent, _) = AGGREGATES["conversation"], AGGREGATES["agent"]
        return f"{conversation}` or `{agent}", writer
    noun = str(kind.__struct_config__.tag).partition(".")[0]
    if kind.__module__ == parking.__name__:
        return PARKED_ON[noun]
    if kind.__module__ == people.__name__:
        customers = {"conversation": "customer", "handle": "customer"}
        return AGGREGATES[customers.get(noun, noun)]
    return AGGREGATES.get(kind.__module__.rpartition(".")[2], AGGREGATES["conversation"])


def event_parts(kind: type[events.AnyEvent]) -> tuple[type, type]:
    """Return the open and the personal part of an event type."""
    data = next(each.type for each in fields(kind) if each.name == "data")
    assert isinstance(data, StructType)
    opened, personal = (next(iter(structs_in(each.type))).cls for each in data.fields)
    return opened, personal


def event_section(tag: str, kind: type[events.AnyEvent]) -> Iterator[str]:
    opened, personal = event_parts(kind)
    aggregate, writer = aggregate_of(kind)
    yield from (
        f"### {tag}",
        "",
        paragraphs(kind),
        "",
        f"On `{aggregate}`, written by {writer}.",
        "",
    )
    for part in (opened, personal):
        yield from (line for text in documented(part) for line in (text, ""))
    rows = [
        (part, *row)
        for part, struct in (("open", opened), ("personal", personal))
        for row in field_rows(struct)
    ]
    yield from table(("part", "field", "type", "default"), rows)


def parts_of_events() -> list[type]:
    """Return what the fields of all events are made of, each once."""
    halves = (half for kind in events.event_types().values() for half in event_parts(kind))
    return list(dict.fromkeys(part for half in halves for part in parts_below(half)))


def events_page() -> str:
    about = (
        "Every message of LEDGER and CONTACTS is one [CloudEvents 1.0](https://cloudevents.io) event in JSON.\n"
        "Change is additive only: each type has a golden sample in `tests/golden/events` that must decode for ever."
    )

    def body() -> Iterator[str]:
        said = attributes(events.Event)
        yield from ("## The envelope", "", paragraphs(events.Event), "")
        sample = fields(events.CallStarted)
        yield from table(
            ("on the wire", "in the code", "type", "what it is"),
            (
                (
                    f"`{each.encode_name}`",
                    f"`{each.name}`",
                    shape(each.type),
                    said.get(each.name, ""),
                )
                for each in sample
                if each.name != "data"
            ),
        )
        yield "`data` holds two parts: `open`, which has no personal data, and `personal`, `null` after erasure."
        yield from ("Fields that hold their default are left out of the envelope.", "")
        for module, tags in families().items():
            title = paragraphs(sys.modules[module]).partition("\n")[0]
            yield from (f"## {title.partition('. ')[0].rstrip('.')}", "")
            for tag in tags:
                yield from event_section(tag, events.event_types()[tag])
        yield from ("## Parts", "", "What the fields above are made of.", "")
        packets = [packet.Packet, *parts_below(packet.Packet)]
        yield from structs(each for each in parts_of_events() if each not in packets)
        yield from ("## The context packet", "", paragraphs(packet), "")
        yield from structs(packets)

    return page("Events", about, body())
