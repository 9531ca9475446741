"""What version 0.2 recorded is folded, projected and answered alike by every later one.

A fold or a table that changed has another version: packets and rows name it, and old tables are built anew.
"""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec.structs import astuple

from services.history.pool import Pool
from services.history.project import project, wanted
from services.history.projection import Projection
from services.history.store import Session
from services.history.tables import TABLES_VERSION
from services.history.tables.row import AddedRow
from shared import conversation as conversations
from shared import customer as customers
from shared.conversation import FOLD_VERSION, NEW_CONVERSATION, Conversation
from shared.customer import UNKNOWN_CUSTOMER, Customer
from shared.events import PacketId
from shared.ledger import Recorded
from shared.packet import canonical, package
from tests.history.caller import Caller
from tests.history.recorded_ledger import (
    GOLDEN,
    answers_about,
    lacking,
    recorded_answers,
    recorded_ledger,
)

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


def packets(events: list[Recorded]) -> str:
    """Return the digest of the packets that every conversation would have after each event."""
    digest = hashlib.sha256()
    matters: dict[str, Conversation] = {}
    people: dict[str, Customer] = {}
    for each in events:
        kind, _, name = each.aggregate.partition("-")
        if kind == "cust":
            before = people.get(name, UNKNOWN_CUSTOMER)
            people[name] = customers.evolve(before, each.sequence, each.event)
        elif kind == "conv":
            it = conversations.evolve(
                matters.get(name, NEW_CONVERSATION), each.sequence, each.event
            )
            matters[name] = it
            customer = people[it.customer or ""]
            digest.update(
                canonical(package(it, customer, packet_id=PacketId("p"), policy_version="v"))
            )
    return digest.hexdigest()


def rows(events: list[Recorded]) -> str:
    """Return the digest of all rows, as they are added or replaced."""
    added: dict[str, Any] = {}
    replaced: dict[str, Any] = {}
    for row, found in project(events, wanted(events), BEGINNING).items():
        kind = added if issubclass(row, AddedRow) else replaced
        kind[row.table] = [astuple(each) for each in found.values()]
    return hashlib.sha256(msgspec.json.encode((added, replaced))).hexdigest()


def test_other_packets_or_rows_have_another_version() -> None:
    """If this fails: raise FOLD_VERSION for `packets`, TABLES_VERSION for `rows`, and note them in versions.json."""
    events = recorded_ledger()
    known = json.loads((GOLDEN / "versions.json").read_bytes())
    found = {
        "fold_version": FOLD_VERSION,
        "packets": packets(events),
        "tables_version": TABLES_VERSION,
        "rows": rows(events),
    }
    assert {**known, **found} == known


def test_a_new_field_of_a_fold_changes_no_row_that_lacks_it() -> None:
    """What stands at its default is not written; an older version stops at a field instead of dropping it."""
    parts = [part for part in astuple(NEW_CONVERSATION) if isinstance(part, msgspec.Struct)]
    assert len(parts) == 12
    kept = [NEW_CONVERSATION, UNKNOWN_CUSTOMER, *parts]
    configs = [part.__struct_config__ for part in kept]
    assert all(each.omit_defaults and each.forbid_unknown_fields for each in configs)


async def test_a_recorded_ledger_is_answered_as_it_was(session: Session, pool: Pool) -> None:
    """Whatever was answered about it stands in today's answers: an installation keeps its past."""
    ledger = recorded_ledger()
    await (await Projection.take_over(session)).apply(ledger)
    ask = Caller(await answers_about(ledger, pool))
    recorded = recorded_answers()
    assert {name for (name, _), _ in recorded} >= {"timeline", "context", "as_of", "customer"}
    for (name, asked), answer in recorded:
        assert lacking(answer, await ask(name, **asked)) == [], (name, asked)


def test_what_an_answer_lacks_is_found() -> None:
    """A key that is gone, another value, another length; what is added is none of these."""
    recorded = {"a": 1, "b": [{"c": 2}]}
    assert lacking(recorded, {"a": 1, "b": [{"c": 2, "d": 3}], "e": 4}) == []
    assert lacking(recorded, {"b": [{"c": 3}]}) == [".a", ".b[0].c"]
    assert lacking(recorded, {"a": 1, "b": []}) == [".b"]
