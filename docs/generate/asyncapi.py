"""The AsyncAPI 3 document: what goes over the bus, where, and which schema each message follows.

It is written from the side of Tellonce, as AsyncAPI wants it: Tellonce receives commands and questions, sends events;
and for integrations: the house and the desk ask on the same subjects without `.as.<integration>`.
asyncapi.com, "AsyncAPI Specification 3.0.0", read 2026-11.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from docs.generate.markdown import paragraphs
from shared import VERSION, aggregates, commands, events, queries, replies, subjects

Part = dict[str, Any]

TENANT = {"description": "The shop whose ledger it is.", "examples": ["demo"]}
INTEGRATION = {
    "description": "Who asks: its name in the tenant's policy. The bus knows it by its key, and binds it to that name.",
    "examples": ["shop"],
}
LIVE_PARAMETERS: Part = {
    "partition": {
        "description": "FNV-1a (32 bit) of the aggregate modulo 64; whoever listens takes any: `*`."
    },
    "tenant": TENANT,
    "kind": {
        "description": "What the event is about: the kind of its aggregate.",
        "enum": list(aggregates.KINDS),
    },
    "id": {"description": "Which one of its kind it is about."},
}
LIVE_ADDRESS = "live.ledger.{partition}.{tenant}.{kind}.{id}"
LIVE = """Every event, as the server repeats it once it is stored; `Nats-Sequence` is its place in the ledger. Some may
be lost, and none comes again: whoever must have them all asks the query `entries`, and takes this for the sign to ask.
Take fields and types of events that you do not know: they are added to, and never renamed or re-typed."""
REPLIES = "Where whoever asked waits for the reply: the request's reply subject, below `_INBOX.`."
REQUEST = """Request/reply. Whoever hears nothing, or `retryable: true`, sends the same bytes again: the same
`command_id` has one effect and one reply. What this integration may ask says its tenant's policy; all else is refused
with `command.forbidden` or `query.forbidden`."""


def document() -> Part:
    """Return the document."""
    return {
        "asyncapi": "3.0.0",
        "id": "urn:tellonce",
        "info": {
            "title": "Tellonce",
            "version": VERSION,
            "description": "An event-sourced ledger of customer conversations: a customer never has to tell it twice.",
        },
        "defaultContentType": "application/json",
        "servers": {
            "bus": {
                "host": "{host}:{port}",
                "protocol": "nats",
                "description": "NATS with JetStream; `tellonce status` prints the address.",
                "variables": {"host": {"default": "127.0.0.1"}, "port": {"default": "4222"}},
            }
        },
        "channels": _channels(),
        "operations": _operations(),
        "components": {"messages": _messages()},
    }


def _messages() -> Part:
    asked = [
        *((f"cmd.{verb}", f"commands/{verb}", kind) for verb, kind in commands.COMMANDS.items()),
        *((f"query.{name}", f"queries/{name}", kind) for name, kind in queries.QUERIES.items()),
    ]
    answers = (
        (_answer(name), f"answers/{name}", queries.answer_to(kind))
        for name, kind in queries.QUERIES.items()
    )
    written = ((tag, f"events/{tag}", kind) for tag, kind in events.event_types().items())
    replied = (
        ("done", "replies/done", replies.Done),
        ("refused", "replies/refused", replies.Refused),
    )
    every: tuple[tuple[str, str, type], ...] = (*written, *asked, *replied, *answers)
    return {name: _message(name, schema, kind) for name, schema, kind in every}


def _message(name: str, schema: str, kind: type) -> Part:
    summary = paragraphs(kind).partition("\n")[0]
    payload = {"$ref": f"schemas/{schema}.json"}
    return {"name": name, **({"summary": summary} if summary else {}), "payload": payload}


def _channels() -> Part:
    tags = events.event_types()
    answers = map(_answer, queries.QUERIES)
    return {
        "live": _channel(LIVE_ADDRESS, tags, LIVE, LIVE_PARAMETERS),
        **{name: _asked(name) for name in _requests()},
        "replies": _channel(None, ("done", "refused", *answers), REPLIES, {}),
    }


def _requests() -> list[str]:
    """Return the names of all that may be asked: `cmd.<command>` and `query.<query>`."""
    return [
        *(f"cmd.{verb}" for verb in commands.COMMANDS),
        *(f"query.{name}" for name in queries.QUERIES),
    ]


def _asked(name: str) -> Part:
    what, _, which = name.partition(".")
    subject = subjects.command if what == "cmd" else subjects.query
    address = subject("tenant", which).replace(".tenant.", ".{tenant}.") + ".as.{integration}"
    parameters = {"tenant": TENANT, "integration": INTEGRATION}
    return _channel(address, (name,), REQUEST, parameters)


def _channel(
    address: str | None, names: Iterable[str], description: str, parameters: Mapping[str, Part]
) -> Part:
    return {
        "address": address,
        "description": description.replace("\n", " "),
        **({"parameters": dict(parameters)} if parameters else {}),
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
    }


def _operations() -> Part:
    live = {"action": "send", "channel": {"$ref": "#/channels/live"}}
    return {"live": live, **{name: _request(name) for name in _requests()}}


def _request(name: str) -> Part:
    what, _, which = name.partition(".")
    replied = (("done" if what == "cmd" else _answer(which)), "refused")
    return {
        "action": "receive",
        "channel": {"$ref": f"#/channels/{name}"},
        "reply": {
            "channel": {"$ref": "#/channels/replies"},
            "messages": [{"$ref": f"#/channels/replies/messages/{each}"} for each in replied],
        },
    }


def _answer(query: str) -> str:
    """Return the name of the message that answers a query."""
    return f"answer.{query}"
