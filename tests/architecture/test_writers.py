"""Who may write which stream: nobody else even knows how."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.architecture.tree import CODE, Source, sources

WRITING = {"Ledger", "Write", "Guard"}
"""What of `shared.ledger` one needs to append; readers take `LedgerReader`."""
LEDGER_WRITERS = ("services/router/", "services/notify/")
CONTACTS_WRITERS = ("services/ingest/", "services/notify/")
SUBJECTS = {
    "ledger": ("shared/ledger/", "LedgerReader or Ledger"),
    "contact": ("shared/contact_log.py", "shared.contact_log.ContactLog"),
}
"""Who builds the subjects of a stream, and what everybody else uses."""


def test_only_router_and_notify_can_append_to_the_ledger() -> None:
    """History answers from the ledger and must never be able to change it."""
    found = [
        f"{source.name}: {name}"
        for source in sources("services")
        for name in _names_from(source, "shared.ledger")
        if name in WRITING and not source.name.startswith(LEDGER_WRITERS)
    ]
    assert not found, f"take a LedgerReader: {found}"


def test_only_ingest_and_notify_can_write_contacts() -> None:
    """A contact event comes from a channel, or is what became of a message to the customer."""
    found = [
        source.name
        for source in sources("services")
        if "ContactLog" in _names_from(source, "shared.contact_log")
        and not source.name.startswith(CONTACTS_WRITERS)
    ]
    assert not found, f"only ingest and notify write CONTACTS: {found}"


def test_a_streams_subjects_are_built_by_its_client() -> None:
    """Whoever builds the subject could publish past the client, its expectations and its codec."""
    found = [
        f"{source.at(node)}: use {instead}"
        for source in sources(*CODE)
        for node, name in _subject_calls(source)
        for home, instead in [SUBJECTS[name]]
        if not source.name.startswith((home, "shared/subjects.py"))
    ]
    assert not found, found


def _names_from(source: Source, module: str) -> set[str]:
    """Return the names that a file imports from a module."""
    return {
        alias.name
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ImportFrom) and node.module == module
        for alias in node.names
    }


def _subject_calls(source: Source) -> Iterator[tuple[ast.Call, str]]:
    for node in ast.walk(source.tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="subjects"), attr=name)):
                if name in SUBJECTS:
                    yield node, name
            case _:
                pass
