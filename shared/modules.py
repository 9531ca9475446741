"""Registers the modules of a folder: a new file in the folder needs no entry elsewhere."""

import importlib
import pkgutil
from typing import Any


def by_name(package: str, path: list[str]) -> dict[str, Any]:
    """Return the modules of a package by their `NAME`; one without a name is what the others share.

    `path`: the package's `__path__`.
    """
    files = pkgutil.iter_modules(path)
    modules = [importlib.import_module(f"{package}.{file.name}") for file in files]
    return {module.NAME: module for module in modules if hasattr(module, "NAME")}
