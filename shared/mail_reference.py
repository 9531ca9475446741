"""The reply reference: the Message-ID of a mail of ours, which an answer names in In-Reply-To or References.

It has the form `<msg-<message id>.<conversation id>.<mark>@<domain>>`, see `shared.message_reference`. Anybody may
write such a field, and whoever knows a mail of hers can compute the id of its conversation: the mark is a keyed hash,
which only we can make (docs/adr/0061). Notify writes it, ingest reads it, the router says what it is worth.
Sources: RFC 5322, section 3.6.4 (`msg-id`); RFC 2104, section 5 (truncated output). Read 2026-11.
"""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass

from shared import errors, ids, message_reference
from shared.events import ConversationId, MessageId
from shared.message_reference import MessageReference
from shared.policy import Policy

MESSAGE_ID_MAX_CHARACTERS = 998
"""Longest line of a mail (RFC 5322, section 2.1.1), so no identifier is longer."""

KIND = "reply"
"""What a mark is a hash of: a key that is used for something else as well proves nothing here."""

_REFERENCE = re.compile(rf"<?msg-{message_reference.FORM}(?:\.(?P<mark>{ids.FORM}))?@[^\s<>@]+>?\Z")
_PLAIN_ID = re.compile(r"[a-z0-9_-]{1,64}\Z")
_DOMAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?\Z")


@dataclass(frozen=True, slots=True)
class ReplyKeys:
    """The tenant's keys, the newest first: that one writes, each of them proves."""

    keys: tuple[bytes, ...] = ()

    def mark(self, reference: MessageReference) -> str | None:
        """Return the mark of a reference of ours; `None` without a key. 160 bits of an HMAC-SHA256."""
        return _mark(self.keys[0], reference) if self.keys else None

    def prove(self, reference: MessageReference) -> bool:
        """Tell whether we wrote a reference; without keys nobody can tell, and each is believed."""
        known = (_mark(key, reference) for key in self.keys)
        mark = reference.mark or ""
        return not self.keys or any(hmac.compare_digest(each, mark) for each in known)


NO_KEYS = ReplyKeys()


def keys_of(policy: Policy, secrets: Mapping[str, str]) -> ReplyKeys:
    """Return the keys that a policy names. Raises: SettingInvalid where one has no value."""
    for name in policy.reply_secrets:
        if not secrets.get(name):
            raise errors.SettingInvalid("a secret that the policy names is missing", secret=name)
    return ReplyKeys(tuple(secrets[name].encode() for name in policy.reply_secrets))


def write(reference: MessageReference, domain: str, mark: str | None = None) -> str:
    """Return the Message-ID of a mail to a customer, with its angle brackets.

    Raises ValueError when an id or the domain holds a character that the form does not take.
    """
    for part in (reference.message, reference.conversation):
        if _PLAIN_ID.match(part) is None:
            raise ValueError("an id of a mail reference is not of [a-z0-9_-]{1,64}")
    if _DOMAIN.match(domain) is None:
        raise ValueError("the domain of a mail reference is not a host name")
    written = message_reference.write(reference.message, reference.conversation)
    return f"<msg-{written}{f'.{mark}' if mark else ''}@{domain}>"


def read(message_id: str) -> MessageReference | None:
    """Return the reference in a Message-ID, or `None` when the Message-ID is not of our form."""
    found = _REFERENCE.match(message_id.strip()[:MESSAGE_ID_MAX_CHARACTERS])
    if found is None:
        return None
    message, conversation = MessageId(found["message"]), ConversationId(found["conversation"])
    return MessageReference(message, conversation, found["mark"])


def _mark(key: bytes, reference: MessageReference) -> str:
    named = message_reference.write(reference.message, reference.conversation)
    return ids.keyed_hash(key, KIND, named)
