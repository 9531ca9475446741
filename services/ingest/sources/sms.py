"""Pictures of text messages (MMS), by the address in the message.

Sources: twilio.com/docs/messaging/api/media-resource, read 2026-11-29 (the address redirects to where the bytes are; an
account may demand HTTP basic authentication with its SID and token); dev.bandwidth.com/docs/messaging/media, not looked
up anew in 2026-11 (basic authentication with the API's token and secret).
"""

from urllib.parse import urlsplit

from services.ingest.domain.fetching import Asking, FileRequest, WantedFile, basic
from services.ingest.domain.fetching import no_contents as contents

__all__ = ["HOSTS", "NAME", "contents", "fetch"]

NAME = "sms"
HOSTS = (
    *("api.twilio.com", "*.twiliocdn.com", "s3-external-1.amazonaws.com"),
    "messaging.bandwidth.com",
)
ALLOWED_BY = {
    "api.twilio.com": ("account_sid", "signing"),
    "messaging.bandwidth.com": ("api_token", "api_secret"),
}
"""Which secrets a host is shown as name and password, where the account has them."""


def fetch(wanted: WantedFile) -> Asking:
    """Ask for the file, with the account's secrets for that host."""
    user, password = ALLOWED_BY.get(urlsplit(wanted.source).hostname or "", ("", ""))
    known = user in wanted.secrets and password in wanted.secrets
    secret = basic(wanted.secrets[user], wanted.secrets[password]) if known else {}
    yield FileRequest(wanted.source, secret=secret)
