"""Who may write which stream: nobody else even knows how."""

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.tree import CODE, Source, sources

READING = {"LedgerReader", "BulkReader", "Recorded", "identity", "Mark"}
"""What of `shared.ledger` a reader needs; all the rest serves to append."""
LEDGER_WRITERS = ("services/router/", "services/notify/")
CONTACTS_WRITERS = ("services/ingest/", "services/notify/")
MAKES_ITS_READER = {"services/history/app.py": "NatsLedger"}
"""Makes the client, hands it on as a `LedgerReader`, and calls no `append` itself."""
SUBJECTS = {
    "ledger": ("shared/ledger/", "LedgerReader or Ledger"),
    "contact": ("shared/contact_log.py", "shared.contact_log.ContactLog"),
    "body": ("services/ingest/handlers/body_store.py", "BodyStore"),
}
"""Who builds the subjects of a stream, and what everybody else uses."""


def test_only_router_and_notify_can_append_to_the_ledger() -> None:
    """History answers from the ledger and must never be able to change it."""
    found = [
        f"{source.name}: {name}"
        for source in sources("services")
        if not source.name.startswith(LEDGER_WRITERS)
        for name in writes_ledger(source)
    ]
    assert not found, f"take a LedgerReader: {found}"


def test_only_ingest_and_notify_can_write_contacts() -> None:
    """A contact event comes from a channel, or is what became of a message to the customer."""
    found = [
        f"{source.name}: {name}"
        for source in sources("services")
        if not source.name.startswith(CONTACTS_WRITERS)
        for name in writes_contacts(source)
    ]
    assert not found, f"only ingest and notify write CONTACTS: {found}"


def test_a_streams_subjects_are_built_by_its_client() -> None:
    """Whoever builds the subject could publish past the client, its expectations and its codec."""
    found = [
        f"{source.name}: subjects.{name}, use {instead}"
        for source in sources(*CODE)
        for name, (home, instead) in SUBJECTS.items()
        if not source.name.startswith((home, "shared/subjects.py"))
        and name in _subjects_built(source)
    ]
    assert not found, found


# -- the rules can fail ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "from shared.ledger import Write",
        "from shared.ledger import Recorded, Guard",
        "from shared.ledger import *",
        "from shared.ledger import jetstream",
        "from shared.ledger.protocol import Write",
        "from shared.ledger.jetstream import NatsLedger",
        "from shared.ledger.jetstream import NatsLedger as Anything",
        "from shared import ledger",
        "import shared.ledger.protocol",
        "import shared.ledger as book",
        "import shared",
        "def later():\n    from shared.ledger.plan import anything",
    ],
)
def test_every_way_to_the_ledgers_writing_half_is_found(text: str) -> None:
    """From any module below `shared.ledger`, by any form of import."""
    assert writes_ledger(_source("services/history/reading.py", text))


def test_history_reads_the_ledger_and_does_not_append() -> None:
    """The one file that makes its client may do that and no more."""
    (name,) = MAKES_ITS_READER
    made = "from shared.ledger.jetstream import NatsLedger\nledger = NatsLedger(bus, codec)\n"
    assert not writes_ledger(_source(name, made))
    assert writes_ledger(_source(name, f"{made}ledger.append(tenant, [])\n"))
    assert writes_ledger(_source(name, f"{made}from shared.ledger.protocol import Write\n"))
    assert not writes_ledger(
        _source("services/history/reading.py", "from shared.ledger import LedgerReader, Recorded")
    )


@pytest.mark.parametrize(
    "text",
    [
        "from shared.contact_log import ContactLog",
        "from shared import contact_log",
        "import shared.contact_log",
    ],
)
def test_every_way_to_the_writer_of_contacts_is_found(text: str) -> None:
    """By any form of import."""
    assert writes_contacts(_source("services/router/app.py", text))


@pytest.mark.parametrize(
    "text",
    [
        "subjects.ledger(tenant, aggregate)",
        "from shared.subjects import ledger as subject",
        "build = subjects.contact",
        "shared.subjects.contact(tenant, channel, key)",
    ],
)
def test_every_way_to_a_streams_subject_is_found(text: str) -> None:
    """Called, handed on or imported by itself."""
    assert _subjects_built(_source("services/router/app.py", text))


def writes_ledger(source: Source) -> list[str]:
    """Return what lets a file append to the ledger."""
    allowed = READING | {MAKES_ITS_READER.get(source.name, "")}
    found = [name for name in _reached(source, "shared.ledger") if name not in allowed]
    if source.name in MAKES_ITS_READER:
        found += [
            "append"
            for node in source.nodes
            if isinstance(node, ast.Attribute) and node.attr == "append"
        ]
    return found


def writes_contacts(source: Source) -> list[str]:
    """Return what lets a file write CONTACTS."""
    return list(_reached(source, "shared.contact_log"))


def _source(name: str, text: str) -> Source:
    return Source(name, text, ast.parse(text))


def _reached(source: Source, module: str) -> Iterator[str]:
    """Yield what a file imports of a module of `shared` and of those below it: names, or the modules themselves."""
    for node in source.nodes:
        match node:
            case ast.ImportFrom(module=str(origin), names=names):
                for alias in names:
                    if _is_below(origin, module):
                        yield alias.name
                    elif _is_below(f"{origin}.{alias.name}", module):
                        yield f"{origin}.{alias.name}"
            case ast.Import(names=names):
                yield from (
                    alias.name
                    for alias in names
                    if _is_below(alias.name, module) or alias.name == "shared"
                )
            case _:
                pass


def _is_below(name: str, module: str) -> bool:
    return name == module or name.startswith(f"{module}.")


def _subjects_built(source: Source) -> set[str]:
    """Return which of SUBJECTS a file takes from `shared.subjects`."""
    found = {
        node.attr
        for node in source.nodes
        if isinstance(node, ast.Attribute) and ast.unparse(node.value).endswith("subjects")
    }
    return (found | set(_reached(source, "shared.subjects"))) & set(SUBJECTS)
