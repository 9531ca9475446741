"""Plays Twilio's webhooks of calls: a form, signed over the public address and its parameters."""

from deploy.story.providers.twilio import MEDIA_TYPE, body, sign
from deploy.story.providers.without_api import HOSTS, answer, receipt

__all__ = ["HAS_SOCKET", "HOSTS", "MEDIA_TYPE", "NAME", "answer", "body", "receipt", "sign"]

NAME = "twilio_voice"
HAS_SOCKET = False
