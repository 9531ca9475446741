"""What the shop says by itself, in its own words by language. Pure."""

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta

Language = Annotated[str, Meta(pattern=r"^[a-z]{2,3}\Z")]
Text = Annotated[str, Meta(min_length=1, max_length=2_000)]


def in_language(texts: Mapping[Language, Text], language: str | None) -> Text:
    """Return the text for a language (BCP 47); the first one where it is not known, or not there."""
    wanted = (language or "").partition("-")[0].lower()
    return texts.get(wanted) or next(iter(texts.values()))
