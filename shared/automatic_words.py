"""What a shop says by itself, in its own words: a part of a policy. Pure."""

from typing import Annotated

from msgspec import Meta

from shared.strict import Strict
from shared.texts import Language, Text, in_language


class AutomaticWords(Strict, frozen=True, kw_only=True):
    """`texts`: by language; the first one is for whoever's language is not known or not there."""

    texts: Annotated[dict[Language, Text], Meta(min_length=1, max_length=64)]

    def text(self, language: str | None) -> str:
        """Return the text for a language (BCP 47)."""
        return in_language(self.texts, language)
