"""A provider's name stands in its own files only: rules and folds look at the medium."""

import ast
import re
from collections.abc import Iterator

from services.ingest.channels import CHANNELS
from tests.architecture.tree import PRODUCT, Source, sources

WORDS = {"chat", "email", "form", "shop", "site"}
"""Channels of our own, whose names are words of the language as well."""
KNOWN = (
    r"twilio|whatsapp|messenger|facebook|telegram|viber|asterisk|ringostat|livechat|smartsupp|shopify|woocommerce"
    r"|prestashop|segment\.com|matomo"
)
PROVIDERS = re.compile("|".join([KNOWN, *sorted(set(CHANNELS) - WORDS)]), re.IGNORECASE)
OF_A_PROVIDER = re.compile(
    r"(services/(ingest|notify)/(archives|channels|lists|sources|transports)|deploy/story/providers)/"
)
"""The files of one provider each, their registries, and what they share."""


def test_a_providers_name_stands_in_its_own_files_only() -> None:
    """From Twilio to Asterisk is no switch for the customer, and none for a rule."""
    strays = [
        f"{source.name}:{number}"
        for source in sources(*PRODUCT)
        if not OF_A_PROVIDER.match(source.name)
        for number, line in enumerate(source.text.splitlines(), 1)
        if PROVIDERS.search(line)
    ]
    assert not strays, f"look at the medium, or move it to the channel's file: {strays}"


def test_no_rule_compares_a_channel_with_a_name() -> None:
    """`chat` and `email` are words of their own; as names of channels they are compared nowhere."""
    strays = [
        source.at(node)
        for source in sources(*PRODUCT)
        if not OF_A_PROVIDER.match(source.name)
        for node in source.nodes
        if isinstance(node, ast.Compare) and set(_names(node)) and _of_a_channel(source, node)
    ]
    assert not strays, f"compare the medium: {strays}"


def _names(node: ast.Compare) -> Iterator[str]:
    """Yield the names of channels that a comparison holds."""
    for each in ast.walk(node):
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield from {each.value} & set(CHANNELS)


def _of_a_channel(source: Source, node: ast.Compare) -> bool:
    return "channel" in (ast.get_source_segment(source.text, node) or "")
