"""What the receiving server found out about the sender of a mail.

RFC 8601 (Authentication-Results): the server that hands the mail over puts its own fields above all others; what stands
below may have been written by anybody. DMARC (RFC 7489) speaks of the author's own domain: where it was checked, it
decides. The other methods may speak of anybody's domain; a domain is aligned with the author's when one is the other or
stands above it, as no list of public suffixes is at hand.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|\\.|[^"\\(]+|.', re.DOTALL)
_IN_COMMENT = re.compile(r"\\.|[^\\()]+|.", re.DOTALL)
_SEPARATES = re.compile(r"[;=\s]")
_RESULT = re.compile(r"\s*([a-z0-9-]+)\s*(?:/\s*\d+\s*)?=\s*([a-z]+)", re.IGNORECASE)
_PROPERTY = re.compile(r"\b([a-z]+\.[a-z0-9-]+)\s*=\s*([^\s;]+)", re.IGNORECASE)

_SPOKEN_OF = {
    "dmarc": ("header.from",),
    "dkim": ("header.d", "header.i"),
    "spf": ("smtp.mailfrom", "smtp.mail", "smtp.helo"),
}
"""The methods that are looked at, and which properties say whose domain was checked; the first that is given counts."""


@dataclass(frozen=True, slots=True)
class _Result:
    """`domain`: the one that was checked, `None` where the server does not say."""

    method: str
    result: str
    domain: str | None


@dataclass(slots=True)
class _Found:
    """The results of the methods, as (method, result): all, and those that are not known to speak of another domain."""

    of_any: set[tuple[str, str]] = field(default_factory=set)
    of_author: set[tuple[str, str]] = field(default_factory=set)


def own_results(fields: Sequence[tuple[str, str]]) -> str:
    """Return the results that the topmost server gave: of its first field, and of those that follow under its name.

    `fields`: of a mail's head, the topmost first, names in lower case. Where the next `Received` stands, another server
    begins.
    """
    server: str | None = None
    own: list[str] = []
    for name, value in fields:
        if name == "received" and own:
            break
        if name == "authentication-results":
            this = _server(value)
            if own and this != server:
                break
            server = this
            own.append(value)
    return ";".join(own)


def failed(results: str | None, author: str | None = None) -> bool:
    """Tell whether a server's results say that the author is not who the mail says; none say nothing.

    `author`: the address in From; where it is unknown, no named domain is its. Without DMARC a mail fails whose sender
    the domain forbids, or whose signature of the author's domain is broken, where no signature, or for the latter no
    sender, of that domain is good.
    """
    found = _found(results or "", (author or "").rpartition("@")[2])
    if ("dmarc", "fail") in found.of_any:
        return True
    if {("dmarc", "pass"), ("dkim", "pass")} & found.of_author:
        return False
    if ("spf", "fail") in found.of_any:
        return True
    broken = found.of_author if author else found.of_any
    return ("dkim", "fail") in broken and ("spf", "pass") not in found.of_author


def _found(results: str, domain: str) -> _Found:
    found = _Found()
    for each in _read(results):
        said = (each.method, each.result)
        found.of_any.add(said)
        if each.domain is None or (domain and _aligned(each.domain, domain)):
            found.of_author.add(said)
    return found


def _aligned(one: str, other: str) -> bool:
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")


def _read(results: str) -> Iterator[_Result]:
    """Give the results of the methods that are looked at; what is no result is passed over."""
    for part in _plain(results).split(";"):
        said = _RESULT.match(part)
        if said is None or said[1].lower() not in _SPOKEN_OF:
            continue
        given = {name.lower(): value for name, value in _PROPERTY.findall(part[said.end() :])}
        named = (given[each] for each in _SPOKEN_OF[said[1].lower()] if each in given)
        spoken_of = next(named, None)
        domain = None if spoken_of is None else spoken_of.rpartition("@")[2].strip('".').lower()
        yield _Result(said[1].lower(), said[2].lower(), domain)


def _server(value: str) -> str | None:
    """Return the name of the server that wrote a field; `None` where it does not say, as some do."""
    first = _plain(value).partition(";")[0]
    words = first.split()
    return words[0].lower() if words and "=" not in first else None


def _plain(results: str) -> str:
    """Return a field without comments; what is quoted separates nothing any more. A quote in a comment is none."""
    kept: list[str] = []
    depth = at = 0
    while (piece := (_IN_COMMENT if depth else _PIECE).match(results, at)) is not None:
        at = piece.end()
        if piece[0] == "(":
            depth += 1
        elif depth:
            depth -= piece[0] == ")"
        else:
            quoted = len(piece[0]) > 1 and piece[0][0] in '"\\'
            kept.append(_SEPARATES.sub("_", piece[0]) if quoted else piece[0])
    return "".join(kept)
