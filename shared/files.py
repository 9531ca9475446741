"""Replaces files so that a reader, and whoever starts after a power cut, finds the old or the new content whole."""

import os
from pathlib import Path


def replace(path: Path, content: bytes) -> None:
    """Replace a file that is needed after a power cut: the content is on the disk before the name leads to it.

    When it returns the name is on the disk, too. Raises: OSError; then the file is as it was.
    """
    draft = _draft_of(path)
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_folder(path.parent)


def replace_unsynced(path: Path, content: bytes) -> None:
    """Replace a file that nobody needs after a power cut. Raises: OSError; then the file is as it was."""
    draft = _draft_of(path)
    draft.write_bytes(content)
    draft.replace(path)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk. Raises: OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _draft_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.{os.getpid()}.draft")
