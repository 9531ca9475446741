"""Rules for the code itself: sizes, drivers, SQL, output, and what a test may not do."""

import ast
import re

from tests.architecture.tree import CODE, PRODUCT, Source, functions, imported, length, sources

FILE_MAX_LINES = 400
TEST_FILE_MAX_LINES = 600
"""A file of tests is a list of cases: it is searched, not read."""
FUNCTION_MAX_LINES = 60

LONGER_FILES: dict[str, int] = {}
LONGER_FUNCTIONS: dict[tuple[str, str], int] = {}

DRIVERS = {
    "nats": (
        {"shared/bus/client.py", "shared/bus/driver.py", "shared/bus/receiving.py"},
        "shared.bus.Bus",
    ),
    "asyncpg": ({"services/history/store.py"}, "services.history.store"),
    "faststream": ({"shared/serving.py"}, "shared.serving.on_stream and on_request"),
    "opentelemetry": ({"shared/tracing.py"}, "shared.tracing"),
    "prometheus_client": ({"shared/metrics.py"}, "shared.metrics"),
    "aiosmtplib": ({"services/notify/carriers/smtp.py"}, "services.notify.carriers.smtp"),
    "phonenumbers": ({"shared/handles.py"}, "shared.handles"),
    "idna": ({"shared/handles.py"}, "shared.handles"),
    "aiosmtpd": ({"deploy/story/providers/mail_sink.py"}, "deploy.story.providers.mail_sink"),
}
"""Who may import a driver, and what everybody else uses."""

MAY_PRINT = re.compile(
    r"deploy/cli/|deploy/story/|deploy/embedded/launch\.py|services/history/(__main__|rebuild)\.py"
)
MAY_HOLD_SQL = {
    "deploy/embedded/postgres.py",  # creates the empty database before any service runs
    "deploy/story/tampering.py",  # plays somebody who changes a row by hand
}
SQL = re.compile(
    r"\b(SELECT\s.+\sFROM\s|INSERT\s+INTO\s|UPDATE\s+\w+\s+SET\s|DELETE\s+FROM\s|(CREATE|ALTER|DROP)\s+(TABLE|SCHEMA|INDEX|DATABASE)\b)",
    re.IGNORECASE | re.DOTALL,
)
UNFINISHED = re.compile(r"\b(TOD[O]|FIXM[E]|XX[X])\b")
WAITING = re.compile(r"^_?(until|wait|eventually)")
FAULT = "# the fault itself"
PROGRAMS = {"tests/embedded/dummy.py"}
"""They stand in for a service and are no tests."""


def test_a_file_fits_its_limit() -> None:
    """A file that nobody can hold in the head is split by noun."""
    long = [
        f"{source.name}: {lines} lines"
        for source in sources(*CODE, "tests")
        if (lines := len(source.text.splitlines())) > _file_limit(source)
    ]
    assert not long, f"split these by noun: {long}"


def _file_limit(source: Source) -> int:
    default = TEST_FILE_MAX_LINES if source.name.startswith("tests/") else FILE_MAX_LINES
    return LONGER_FILES.get(source.name, default)


def test_a_function_fits_one_screen() -> None:
    """A function beyond one screen hides more than one thought."""
    long = [
        f"{source.at(function)} {function.name}: {length(function)} lines"
        for source in sources(*CODE, "tests")
        for function in functions(source)
        if length(function) > LONGER_FUNCTIONS.get((source.name, function.name), FUNCTION_MAX_LINES)
    ]
    assert not long, f"give the parts names of their own: {long}"


def test_an_exception_from_a_limit_is_still_needed() -> None:
    """A longer limit goes when the code has become short again."""
    kept = {source.name: source for source in sources(*CODE, "tests")}
    files = [
        name
        for name in LONGER_FILES
        if name not in kept or len(kept[name].text.splitlines()) <= FILE_MAX_LINES
    ]
    long = {
        (source.name, function.name)
        for source in kept.values()
        for function in functions(source)
        if length(function) > FUNCTION_MAX_LINES
    }
    stale = [*files, *(set(LONGER_FUNCTIONS) - long)]
    assert not stale, f"take these out of the lists of exceptions: {stale}"


def test_nothing_is_left_for_later_in_the_code() -> None:
    """What is to be done stands in an issue, where somebody finds it."""
    marked = [
        f"{source.name}:{number}"
        for source in sources(*CODE, "tests")
        for number, line in enumerate(source.text.splitlines(), 1)
        if UNFINISHED.search(line)
    ]
    assert not marked, f"do it, or write an issue: {marked}"


def test_a_driver_is_imported_in_one_place() -> None:
    """A driver behind one file can be understood, bounded and replaced there."""
    strays = [
        f"{source.at(node)} imports {package}: use {DRIVERS[package][1]}"
        for source in sources(*PRODUCT)
        for package, node in imported(source)
        if package in DRIVERS and source.name not in DRIVERS[package][0]
    ]
    assert not strays, strays


def test_sql_stands_in_sql_files() -> None:
    """A named query in *.sql is read, explained and reviewed as SQL."""
    strays = [
        source.at(node)
        for source in sources(*PRODUCT)
        if source.name not in MAY_HOLD_SQL
        for node in source.nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.search(node.value)
    ]
    assert not strays, f"give these a name in a *.sql file: {strays}"


def test_a_pattern_ends_at_the_end() -> None:
    """`$` also fits before a last line feed: an id that ends with one would pass for another; `\\Z` does not."""
    strays = [
        source.at(call)
        for source in sources(*PRODUCT)
        for call in source.nodes
        if isinstance(call, ast.Call)
        and not any("MULTILINE" in ast.unparse(each) for each in call.args)
        for pattern in _patterns(call)
        if pattern.endswith("$") and not pattern.endswith("\\$")
    ]
    assert not strays, f"end them with \\Z: {strays}"


def _patterns(call: ast.Call) -> list[str]:
    """Return the literal regular expressions that a call is given."""
    named = [each.value for each in call.keywords if each.arg == "pattern"]
    first = call.args[:1] if ast.unparse(call.func).startswith("re.") else []
    return [
        node.value
        for each in (*named, *first)
        for node in ast.walk(each)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def test_only_the_command_line_prints() -> None:
    """A service says what happened as one canonical log line."""
    strays = [
        source.at(node)
        for source in sources(*PRODUCT)
        if not MAY_PRINT.match(source.name)
        for node in source.nodes
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    ]
    assert not strays, f"log an event with structlog: {strays}"


def test_a_test_waits_on_a_condition() -> None:
    """A sleep is too short on a slow day and too long on every other."""
    strays = []
    for source in sources("tests"):
        if source.name in PROGRAMS:
            continue
        allowed = {
            id(node)
            for function in functions(source)
            if WAITING.match(function.name)
            for node in ast.walk(function)
        }
        strays += [
            source.at(call)
            for call in source.nodes
            if isinstance(call, ast.Call)
            and _sleeps(call)
            and id(call) not in allowed
            and FAULT not in source.line(call)
        ]
    assert not strays, f"use a helper named until…, wait… or eventually…: {strays}"


def _sleeps(call: ast.Call) -> bool:
    """Tell whether a call sleeps; `sleep(0)` only lets others run."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    yields = (
        len(call.args) == 1 and isinstance(call.args[0], ast.Constant) and call.args[0].value == 0
    )
    return name == "sleep" and not yields


def test_a_test_can_fail() -> None:
    """An assertion about constants alone is true or false before the code runs."""
    strays = [
        source.at(node)
        for source in sources("tests")
        for node in source.nodes
        if isinstance(node, ast.Assert) and not _looks_at_something(node.test)
    ]
    assert not strays, f"assert what the code did: {strays}"


def _looks_at_something(test: ast.expr) -> bool:
    """Tell whether an expression calls, looks inside of, or names anything but a constant."""
    return any(
        isinstance(node, ast.Call | ast.Attribute | ast.Subscript | ast.Await | ast.NamedExpr)
        or (isinstance(node, ast.Name) and not node.id.isupper())
        for node in ast.walk(test)
    )


def test_every_test_states_its_rule() -> None:
    """The docstring says in one sentence what must hold; the name alone is a headline."""
    silent = [
        f"{source.at(function)} {function.name}"
        for source in sources("tests")
        for function in functions(source)
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]
    assert not silent, f"state the rule in a docstring: {silent}"


def test_a_skipped_test_says_why() -> None:
    """A skip without a reason is a test that is gone."""
    silent = [
        source.at(node)
        for source in sources("tests")
        for node in source.nodes
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"skip", "skipif", "xfail"}
        and not (node.args and node.func.attr == "skip")
        and not any(keyword.arg == "reason" for keyword in node.keywords)
    ]
    assert not silent, f"give a reason: {silent}"
