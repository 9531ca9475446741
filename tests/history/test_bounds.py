"""What may be stored can be projected: whatever an event holds, it is refused before, or its rows are written."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st
from msgspec import inspect
from msgspec.structs import replace

from services.history.projection import Projection
from services.history.store import Session
from shared import aggregates
from shared.codec import decode, encode
from shared.errors import EventUnwritable
from shared.events import AnyEvent, EventId, event_types
from shared.ledger import Write
from tests.history.handwritten_ledger import TENANT
from tests.router.samples import NOON, message
from tests.support.memory_ledger import MemoryLedger

EVENTS = 400

TEXTS = st.text(max_size=8) | st.sampled_from(
    ["", "a\0b", "\ud83d", "x" * 3_000, "żółć" * 700, "\uffff\U0010ffff", "é" * 256]
)
WHOLES = st.integers(-(2**70), 2**70) | st.sampled_from([0, 2**31, 2**63 - 1, 2**63, -(2**63) - 1])
ZONES = st.sampled_from(
    [UTC, timezone(timedelta(hours=14)), timezone(-timedelta(hours=12, seconds=7)), None]
)
INSTANTS = st.datetimes(timezones=ZONES) | st.sampled_from(
    [
        datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
        datetime.max.replace(tzinfo=timezone(-timedelta(hours=12))),
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(2199, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    ]
)


PLAIN: dict[type[inspect.Type], st.SearchStrategy[Any]] = {
    inspect.NoneType: st.none(),
    inspect.BoolType: st.booleans(),
    inspect.IntType: WHOLES,
    inspect.FloatType: st.floats(allow_nan=False, allow_infinity=False),
    inspect.StrType: TEXTS,
    inspect.DateTimeType: INSTANTS,
}


def any_of(kind: inspect.Type) -> st.SearchStrategy[Any]:
    """Return a strategy for whatever a type admits, beyond what the wire takes."""
    match kind:
        case inspect.LiteralType():
            return st.sampled_from(kind.values)
        case inspect.UnionType():
            return st.one_of(*map(any_of, kind.types))
        case inspect.ListType():
            return st.lists(any_of(kind.item_type), max_size=2)
        case inspect.TupleType():
            return st.tuples(*map(any_of, kind.item_types))
        case inspect.DictType():
            return st.dictionaries(any_of(kind.key_type), any_of(kind.value_type), max_size=2)
        case inspect.StructType():
            fields = {field.name: any_of(field.type) for field in kind.fields}
            return st.builds(kind.cls, **fields)
        case _:
            return PLAIN[type(kind)]


def whatever(count: int) -> list[AnyEvent]:
    """Return events of all types, each on an aggregate of any kind; of one aggregate there are many."""
    found: list[AnyEvent] = []

    @hypothesis.settings(
        max_examples=count,
        database=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(
        st.sampled_from(list(event_types().values())).flatmap(
            lambda kind: any_of(inspect.type_info(kind))
        ),
        st.sampled_from(list(aggregates.KINDS.values())),
    )
    def take(event: AnyEvent, kind: aggregates.Kind) -> None:
        unique = EventId(f"{len(found)}-{event.id}")
        found.append(replace(event, id=unique, aggregate=kind.of("a"), tenant=TENANT))

    take()
    return found


async def test_what_the_ledger_takes_can_be_projected(session: Session) -> None:
    """Every event is refused with its code or written by the projection to a real Postgres; both happen."""
    ledger, projection = MemoryLedger(), await Projection.take_over(session)
    refused: set[object] = set()
    last: dict[str, int] = {}
    for event in whatever(EVENTS):
        write = Write(event.aggregate, last.get(event.aggregate, 0), [event])
        try:
            appended = await ledger.append(TENANT, [write])
        except EventUnwritable as refusal:
            refused.add(refusal.details["reason"])
            continue
        last |= appended.last
        recorded = await ledger.get(appended.position)
        assert recorded is not None
        await projection.apply([recorded])
    assert projection.position > 0
    assert refused  # what was drawn by chance; each reason has its case below
    assert refused <= {
        "instant_out_of_range",
        "half_a_character",
        "whole_number_too_large",
        "id_too_long",
        "nul_in_id",
    }


@pytest.mark.parametrize(
    ("changed", "field", "reason"),
    [
        (
            {"occurred": datetime(1969, 12, 31, 23, 59, tzinfo=UTC)},
            "occurred",
            "instant_out_of_range",
        ),
        ({"recorded": datetime(2200, 1, 1, tzinfo=UTC)}, "recorded", "instant_out_of_range"),
        ({"recorded": NOON.replace(tzinfo=None)}, "recorded", "instant_out_of_range"),
        (
            {"occurred": NOON.astimezone(timezone(timedelta(seconds=7)))},
            "occurred",
            "instant_out_of_range",
        ),
        ({"id": "x" * 513}, "id", "id_too_long"),
        ({"id": "a\0b"}, "id", "nul_in_id"),
        ({"actor": "\ud83d"}, "actor", "half_a_character"),
        ({"schema_version": 2**63}, "schema_version", "whole_number_too_large"),
    ],
)
def test_the_refusal_names_the_field(changed: dict[str, Any], field: str, reason: str) -> None:
    """Whoever wrote it finds what to mend."""
    with pytest.raises(EventUnwritable) as refusal:
        encode(replace(message("hello"), **changed))
    assert refusal.value.details == {"field": field, "reason": reason}


@pytest.mark.parametrize(
    "changed",
    [
        {"occurred": datetime(1970, 1, 1, tzinfo=UTC)},
        {"occurred": NOON.astimezone(timezone(timedelta(hours=5, minutes=45)))},
        {"id": "é" * 256},
        {"actor": "a\0b"},
        {"schema_version": 2**63 - 1},
    ],
)
def test_what_lies_within_the_bounds_comes_back_the_same(changed: dict[str, Any]) -> None:
    """The bounds are no narrower than they say."""
    event = replace(message("hello"), **changed)
    assert decode(encode(event)) == event
