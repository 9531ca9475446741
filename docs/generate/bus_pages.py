"""The pages of commands and queries."""

from collections.abc import Iterator

from docs.generate.markdown import (
    attributes,
    default,
    field_rows,
    fields,
    page,
    paragraphs,
    parts_below,
    shape,
    structs,
    table,
)
from services.history import operations
from shared import commands, queries, readiness
from shared.events import packet


def commands_page() -> str:
    about = (
        "Request/reply on `cmd.<tenant>.<name>`, one JSON object each; `tellonce cmd NAME JSON` sends one.\n"
        "Unknown fields are refused. The same `command_id` with the same body has one effect and one reply, for\n"
        f"{commands.REMEMBERED.total_seconds() / 3600:.0f} hours from `issued_at`."
    )

    def body() -> Iterator[str]:
        said = attributes(commands.Command)
        common = {each.name for each in fields(commands.Command)}
        rows = (
            (f"`{each.name}`", shape(each.type), default(each), said.get(each.name, ""))
            for each in fields(commands.Command)
        )
        yield from (
            "## In every command",
            "",
            *table(("field", "type", "default", "what it is"), rows),
        )
        for verb, kind in commands.COMMANDS.items():
            own = (row for row in field_rows(kind) if row[0].strip("`") not in common)
            yield from (f"## {verb}", "", paragraphs(kind), "", f"Served by {kind.served_by}.", "")
            yield from table(("field", "type", "default"), own)
        yield from ("## Parts", "")
        parts = (part for kind in commands.COMMANDS.values() for part in parts_below(kind))
        yield from structs(dict.fromkeys(parts))
        yield from ("## Replies", "")
        yield from structs(
            (commands.Done, commands.EventSummary, commands.Refused, commands.Problem)
        )

    return page("Commands", about, body())


def queries_page() -> str:
    about = (
        "Request/reply on `query.<tenant>.<name>`, one JSON object each; `tellonce query NAME JSON` asks one.\n"
        'Unknown fields are refused, a refusal is `{"error": …}` as for commands.'
    )

    def body() -> Iterator[str]:
        shown: dict[type, None] = {}
        yield from ("## In every query", "", paragraphs(queries.Question), "")
        yield from ("In every answer: `position`, the ledger position that it is true for.", "")
        for name, question in queries.QUERIES.items():
            answer = queries.answer_to(question)
            yield from (f"## {name}", "", paragraphs(question), "")
            yield from (f"Answered by {question.served_by}.", "")
            yield from table(("asked", "type", "default"), field_rows(question))
            if answer is not queries.Answer:
                yield from (paragraphs(answer), "")
            yield from table(("answered", "type"), (row[:2] for row in field_rows(answer)))
            shown.update(dict.fromkeys((*parts_below(question), *parts_below(answer))))
        yield from (
            "## Operators: `ops.history.rebuild`",
            "",
            paragraphs(operations.AskRebuild),
            "",
        )
        yield from table(("asked", "type", "default"), field_rows(operations.AskRebuild))
        yield from ("## Operators: `ops.<service>.health`", "", "An empty request.", "")
        yield from structs((readiness.Health, readiness.Trouble, readiness.Backlog))
        own = [each for each in shown if each.__module__ != packet.__name__]
        yield from (
            "## Parts",
            "",
            "The packet's own parts stand in [events](events.md).",
            "",
            *structs(own),
        )

    return page("Queries", about, body())
