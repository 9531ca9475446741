"""What the receiving server found out about the sender of a mail.

RFC 8601 (Authentication-Results): the server that hands the mail over puts its own field above all others; what stands
below may have been written by anybody. DMARC (RFC 7489) speaks of the author's own domain: where it was checked, it
decides.
"""

import re

_COMMENT = re.compile(r"\([^()]*\)")
_RESULT = re.compile(r"(?:^|[;\s])(dmarc|spf|dkim)\s*=\s*([a-z]+)", re.IGNORECASE)


def failed(results: str | None) -> bool:
    """Tell whether the topmost field says that the author is not who the mail says; no field says nothing.

    Without DMARC a mail fails whose sender the domain forbids and that no domain has signed.
    """
    found: dict[str, set[str]] = {}
    for method, result in _RESULT.findall(_COMMENT.sub(" ", results or "")):
        found.setdefault(method.lower(), set()).add(result.lower())
    dmarc = found.get("dmarc", set())
    if dmarc & {"pass", "fail"}:
        return "fail" in dmarc
    return "fail" in found.get("spf", set()) and "pass" not in found.get("dkim", set())
