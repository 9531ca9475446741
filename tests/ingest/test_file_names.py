"""Names of files that are to look like others: what is refused is the name under which a browser would save it."""

from urllib.parse import unquote

import pytest

from services.ingest.domain import fetching, file_address
from services.ingest.domain.fetching import Unfetchable
from shared import events
from shared.settings import REFUSED_FILES

PATTERNS = REFUSED_FILES.split()


def refused(name: str, media_type: str = "image/png") -> bool:
    file = events.AttachedFile(name=name, media_type=media_type)
    try:
        fetching.check_kind(file, media_type, PATTERNS)
    except Unfetchable:
        return True
    return False


@pytest.mark.parametrize(
    "name",
    [
        *("a.exe", "a.EXE", "a.exe.", "a.exe ", "a.exe . .", "a.exe. . ", "  .exe", " . a.exe"),
        *("a\u202egnp.exe", "a.png.exe", "../../a.exe", "C:\\a.exe", "a.exe\t", "a.exe\u3000"),
    ],
)
def test_what_would_be_saved_as_a_program_is_refused(name: str) -> None:
    """However many blanks, points and turned letters stand around it."""
    assert refused(name)


@pytest.mark.parametrize(
    "name",
    [
        "a.exe\u200b",
        "a.exe\x07",
        "a.exe/",
        "a.ex\u200de",
        "a.exe\xa0.",
        "a.png",
        "exe",
        "",
        " . ",
        "a.exe\n_",
    ],
)
def test_what_is_taken_is_saved_as_no_program(name: str) -> None:
    """Signs that nobody sees do not vanish on the way to the disk."""
    assert not refused(name)
    given = file_address.disposition(name).partition("''")[2]
    assert unquote(given) == file_address.saved_as(name)
    assert given.isascii()
    assert not unquote(given).lower().endswith(".exe")


@pytest.mark.parametrize(
    "kind", ["application/x-msdownload;charset=x", "application/x-dosexec ; a=b"]
)
def test_a_parameter_makes_no_other_kind(kind: str) -> None:
    """Whatever stands behind the kind."""
    assert refused("a.png", kind)
