"""Whether the receiving server refutes the author of a mail."""

import pytest

from services.ingest.domain import mail_authentication
from tests.ingest.running_ingest import parsed, raw

AUTHOR = "anna@c.example"


@pytest.mark.parametrize(
    ("results", "refuted"),
    [
        ("mx; dmarc=fail header.from=c.example", True),
        ("mx;dmarc=FAIL", True),
        ("mx 1; arc=pass; dmarc/1 = fail", True),
        ("mx; dkim=pass header.d=c.example; dmarc=fail", True),
        ("mx; dmarc=pass header.from=c.example; spf=fail", False),
        ("mx; dmarc=pass header.from=evil.example; spf=fail", True),
        ("mx; spf=fail smtp.mailfrom=c.example; dkim=none", True),
        ("mx; spf=softfail; dkim=none", False),
        ("mx; none", False),
        ("", False),
        ("mx; spf=fail; dkim=pass header.d=c.example", False),
        ("mx; spf=fail; dkim=pass header.i=@mail.c.example", False),
        ("mx; spf=fail; dkim=pass", False),
        ("mx; spf=fail; dkim=pass header.d=evil.example", True),
        ("mx; spf=fail; dkim=pass header.d=evilc.example", True),
        ("mx; dkim=fail header.d=c.example; spf=none", True),
        ("mx; dkim=fail header.d=c.example; spf=pass smtp.mailfrom=a@c.example", False),
        ("mx; dkim=fail header.d=c.example; spf=pass smtp.mailfrom=a@list.example", True),
        ("mx; dkim=fail header.d=list.example; spf=pass smtp.mailfrom=a@list.example", False),
        ("mx; dkim=fail header.d=c.example; dkim=pass header.d=c.example", False),
        ("spf=fail (sender IP is 192.0.2.1) smtp.mailfrom=c.example;dkim=none", True),
        ('mx; spf=fail smtp.mailfrom="a; dkim=pass "@c.example', True),
        ('mx; spf=fail smtp.mailfrom="a\\"; dkim=pass "@c.example', True),
        ("mx; dmarc=fail (p=reject (x) ; dmarc=pass)", True),
        ("mx;\r\n\tspf=fail (of 192.0.2.1 (bad; dkim=pass)) smtp.mailfrom=x", True),
        ('mx; dmarc=none (a "; dmarc=pass) reason="x; dkim=pass"; spf=fail', True),
        ('mx; dkim=none (5" \\) x); dmarc=fail reason="y"', True),
    ],
)
def test_the_servers_results_decide(results: str, refuted: bool) -> None:  # noqa: FBT001  a table
    """What is quoted or a comment is no result, and another domain's signature says nothing of the author."""
    assert mail_authentication.failed(results, AUTHOR) is refuted


@pytest.mark.parametrize(
    ("head", "proof"),
    [
        ("Authentication-Results: mx; spf=pass\nAuthentication-Results: mx; dmarc=fail", "claimed"),
        (
            "Authentication-Results: MX; spf=fail\nAuthentication-Results: mx; dmarc=pass",
            "delivered",
        ),
        ("Authentication-Results: spf=pass\nAuthentication-Results: dmarc=fail", "claimed"),
        (
            "Authentication-Results: mx; spf=pass\nAuthentication-Results: b; dmarc=fail",
            "delivered",
        ),
        ("Authentication-Results: mx; spf=fail\nAuthentication-Results: b; dmarc=pass", "claimed"),
        (
            "Authentication-Results: mx; spf=fail\nReceived: x\nAuthentication-Results: mx; dmarc=pass",
            "claimed",
        ),
        ("Received: x\nAuthentication-Results: mx; dmarc=fail", "claimed"),
        ("Subject: hello", "delivered"),
    ],
)
def test_the_fields_of_the_topmost_server_belong_together(head: str, proof: str) -> None:
    """It may write one for each method; what another wrote, or stands below a hop, is not its word."""
    (event,) = parsed(raw("email", f"{head}\nFrom: {AUTHOR}\n\nhello\n".encode()))
    assert [handle.proof for handle in event.personal.handles] == [proof]
