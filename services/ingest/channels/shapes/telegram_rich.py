"""A rich message of Telegram in plain words, a line for each of its blocks, and the files among them.

Source: core.telegram.org/bots/api, `RichMessage`, `RichBlock` and `RichText`, read 2026-11.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from services.ingest.domain import loose

DEPTH_MAX = 16
"""How deep blocks and texts may lie in each other; what lies deeper stays in RAW."""
BESIDE = " | "
"""What stands between cells, or buttons, of one row."""
OWN_WORDS = ("summary", "text", "expression")
SPOKEN = ("alternative_text", "expression")
"""What a piece of text says that has no `text`: a custom emoji, a formula."""

Block = Mapping[str, Any]


def lines(message: Block) -> list[str]:
    """Return the words of a rich message."""
    blocks = loose.tables(message.get("blocks"))
    return [line for each in blocks for line in _lines(each, 0) if line.strip()]


def media(message: Block) -> Iterator[Block]:
    """Give the blocks that may hold a file, each as a message would name it."""
    for block in _each(message, 0):
        yield {"voice": block["voice_note"], **block} if "voice_note" in block else block


def _each(found: Block, depth: int) -> Iterator[Block]:
    for block in loose.tables(found.get("blocks")) if depth < DEPTH_MAX else []:
        yield block
        yield from _each(block, depth + 1)
        for item in loose.tables(block.get("items")):
            yield from _each(item, depth + 1)


def _lines(block: Block, depth: int) -> Iterator[str]:
    """Give the lines of a block: its own words, what it holds, and what is said below it."""
    if depth == DEPTH_MAX:
        return
    yield next((_plain(block[name]) for name in OWN_WORDS if name in block), "")
    for each in loose.tables(block.get("blocks")):
        yield from _lines(each, depth + 1)
    for item in loose.tables(block.get("items")):
        yield from _item(item, depth + 1)
    for row in _rows(block):
        yield BESIDE.join(_plain(each.get("text")) for each in row)
    caption = block.get("caption")
    yield _plain(caption)
    yield _plain(loose.table(caption).get("credit"))
    yield _plain(block.get("credit"))


def _item(item: Block, depth: int) -> Iterator[str]:
    """Give the lines of an item of a list, its label before the first."""
    label = loose.text(item.get("label")) or "-"
    below = (line for each in loose.tables(item.get("blocks")) for line in _lines(each, depth))
    for number, line in enumerate(line for line in below if line.strip()):
        yield line if number else f"{label} {line}"


def _rows(block: Block) -> Iterator[Sequence[Block]]:
    cells = block.get("cells")
    for row in cells if isinstance(cells, list) else []:
        yield loose.tables(row)
    yield loose.tables(block.get("buttons"))


def _plain(text: Any, depth: int = 0) -> str:
    """Return a text without its form: a text, several after each other, or one within another."""
    if isinstance(text, str) or depth == DEPTH_MAX:
        return loose.text(text)
    if isinstance(text, list):
        return "".join(_plain(each, depth + 1) for each in text)
    piece = loose.table(text)
    spoken = next((loose.text(piece[name]) for name in SPOKEN if name in piece), "")
    return spoken or _plain(piece.get("text", piece.get("button", "")), depth + 1)
