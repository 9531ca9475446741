#!/usr/bin/env python
"""Hand one signed delivery to a door, as its provider would; for the tutorial and for trying things out.

docs/deliver.py twilio_voice/hotline CallSid=CA1 From=+48601234567 CallStatus=ringing
docs/deliver.py email/shop < mail.eml
docs/deliver.py form/contact '{"submission_id": "f-1", "email": "a@mail.example", "message": "Hello"}'

The running stack is the one of TELLONCE_DATA, else of ./.tellonce. Prints the door's status and answer.
"""

import sys
import time
import uuid

import httpx

from deploy.embedded import state
from deploy.story.providers import signing
from shared import settings

SECRETS = {
    "twilio_voice": "TWILIO_AUTH_TOKEN",
    "email": "MAIL_DOOR_TOKEN",
    "form": "FORM_SIGNING_KEY",
}
MEDIA = {"email": "message/rfc822", "form": "application/json"}


def main(account: str, given: list[str]) -> int:
    """Send it; 0 if the door took it."""
    channel = account.partition("/")[0]
    secret = settings.load_secrets(settings.load())[SECRETS[channel]]
    door = state.read_status(state.data_folder(None)).addresses["ingest"]
    url = f"{door}/in/demo/{account}"
    if channel == "twilio_voice":
        fields = [(name, value) for name, _, value in (each.partition("=") for each in given)]
        headers = {"X-Twilio-Signature": signing.twilio_signature(secret, url, fields)}
        answer = httpx.post(url, data=dict(fields), headers=headers, trust_env=False)
    else:
        body = given[0].encode() if given else sys.stdin.buffer.read()
        message_id, now = f"msg_{uuid.uuid4().hex}", int(time.time())
        headers = {
            "content-type": MEDIA[channel],
            "webhook-id": message_id,
            "webhook-timestamp": str(now),
            "webhook-signature": signing.standard_webhook_signature(secret, message_id, now, body),
        }
        answer = httpx.post(url, content=body, headers=headers, trust_env=False)
    sys.stdout.write(f"{answer.status_code} {answer.text}\n")
    return 0 if answer.is_success else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
