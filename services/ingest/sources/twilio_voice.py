"""Recordings of Twilio's calls, by the address in the report.

Source: twilio.com/docs/voice/api/recording, not looked up anew in 2026-11: without an ending the address gives WAV, and
may demand HTTP basic authentication with the account's SID and token.
"""

from services.ingest.domain.fetching import Asking, FileRequest, WantedFile, basic
from services.ingest.domain.fetching import no_contents as contents

__all__ = ["HOSTS", "NAME", "contents", "fetch"]

NAME = "twilio_voice"
HOSTS = ("api.twilio.com", "*.twiliocdn.com")


def fetch(wanted: WantedFile) -> Asking:
    """Ask for the recording, with the token that signs the account's reports, where its SID is known."""
    known = "account_sid" in wanted.secrets
    secret = basic(wanted.secrets["account_sid"], wanted.secret("signing")) if known else {}
    yield FileRequest(wanted.source, secret=secret)
