"""The folder of a long run: its data and logs stay where somebody wants to look at them."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def folder_of(kept: Path | None, prefix: str) -> Iterator[Path]:
    """Give the folder of a run: a kept one, else one that is gone afterwards."""
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as made:
        yield Path(made)
