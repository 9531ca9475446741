"""The published schemas, as whoever is not of the house reads them."""

import functools
import json
from pathlib import Path

from jsonschema import Draft7Validator, FormatChecker

SCHEMAS = Path(__file__).parents[2] / "docs" / "reference" / "schemas"


@functools.cache
def schema(path: str) -> Draft7Validator:
    """Return what holds a message against a schema, by its path below `docs/reference/schemas`, without `.json`."""
    content = json.loads((SCHEMAS / f"{path}.json").read_bytes())
    return Draft7Validator(content, format_checker=FormatChecker())
