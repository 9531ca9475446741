"""What was said, by the customer and to her."""

import re
from bisect import bisect_right
from datetime import datetime
from typing import Literal

import msgspec
from msgspec.structs import replace

from shared import events
from shared.conversation import people
from shared.events.packet import Said, SaidFile, Writer
from shared.ids import scoped_id

OURS = "shop"
"""Who said what somebody of ours wrote by the provider's own program: nobody here knows who it was."""
AUTOMATIC = "automatic"
"""Who said what the policy says where nobody has answered yet."""
VOICEMAIL = "[voicemail]"
"""What stands for words that nobody has written down."""
SAID_KEPT = 32
"""Messages kept in full in the fold; older ones are counted."""
SAID_MAX_CHARACTERS = 4_096
QUOTED_MAX_CHARACTERS = 512
FILE_NAME_MAX_CHARACTERS = 64
RECORDING = "[recording]"
_REPLY = re.compile(r"(re|aw|sv|vs|odp|antw|fw|fwd|wg|pd)\s*(\[\d+\])?\s*:", re.IGNORECASE)
"""How a subject begins that repeats another one, as mail programs of several languages write it."""


class Outbound(msgspec.Struct, frozen=True, kw_only=True):
    """A message to the customer.

    `account`, `to`: from which account it goes, and to whom; `provider_id`: the provider's id of it; `at`: when it was
    asked for; `sent`: when the provider took it; `instead_of`: the messages that it brings again by another way;
    `event`: under which it stands in `said`.
    """

    message_id: events.MessageId
    channel: str
    status: Literal["requested", "uncertain", "sent", "failed", "delivered", "read"] = "requested"
    provider_id: str | None = None
    at: datetime | None = None
    account: str | None = None
    to: str | None = None
    sent: datetime | None = None
    instead_of: tuple[events.MessageId, ...] = ()
    event: events.EventId | None = None


class Quotable(msgspec.Struct, frozen=True, kw_only=True):
    """A message of hers as its provider knows it: an answer may be shown with it."""

    channel: str
    account: str
    provider_id: str


class Talk(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """What was said.

    `said_before`: how many older ones were dropped from `said`; `unanswered`: the customer's messages since a person
    wrote to her last; `mails`: digests of the latest SAID_KEPT mails and their references, which show their copies;
    `quotable`: by event, those of `said` that came as messages here; `automatic`: messages to her that no person wrote.
    """

    said: tuple[Said, ...] = ()
    said_before: int = 0
    unanswered: int = 0
    outbound: dict[events.MessageId, Outbound] = {}
    mails: tuple[str, ...] = ()
    quotable: dict[events.EventId, Quotable] = {}
    automatic: tuple[events.MessageId, ...] = ()


def evolve(talk: Talk, event: events.AnyEvent) -> Talk:
    """Return the talk after one event."""
    match event:
        case events.MessageReceived() | events.MessageEdited() | events.FormSubmitted():
            return _heard(talk, event)
        case events.CallVoicemailLeft():
            return _spoken(talk, event)
        case events.MessageEchoed(personal=personal) if personal is not None:
            return _echoed(talk, event, personal.text)
        case events.MessageRequested():
            return _asked(talk, event)
        case events.AttachmentStored() | events.AttachmentFailed():
            return _attached(talk, event)
        case events.ConversationMerged():
            return _merged(talk, event)
        case _ if isinstance(event, events.OutcomeEvent):
            return _ended(talk, event)
        case _:
            return talk


def _echoed(talk: Talk, event: events.MessageEchoed, text: str) -> Talk:
    """Return the talk with what was written by the provider's own program; what left from here stands there already.

    Instagram gives back no reference of ours: only the id shows whose it is.
    """
    here = (event.open.channel, event.open.account, event.open.provider_id)
    if any((out.channel, out.account, out.provider_id) == here for out in talk.outbound.values()):
        return talk
    said = _with_quotable(say(talk, event, OURS, text), event)
    return said if event.imported else replace(said, unanswered=0)


def _asked(talk: Talk, event: events.MessageRequested) -> Talk:
    """Return the talk with a message to her; one that brings others again says nothing more and answers nothing."""
    out = Outbound(
        message_id=event.open.message_id,
        channel=event.open.channel,
        at=event.recorded,
        account=event.open.account,
        to=event.personal.to if event.personal else None,
        instead_of=tuple(event.open.instead_of),
        event=event.id,
    )
    talk = replace(talk, outbound={**talk.outbound, out.message_id: out})
    if out.instead_of:
        return talk
    text = event.personal.text if event.personal else events.ERASED
    if event.open.agent is None:
        told = replace(talk, automatic=(*talk.automatic, out.message_id))
        return say(told, event, AUTOMATIC, text)
    return replace(say(talk, event, f"agent-{event.open.agent}", text), unanswered=0)


Written = events.MessageReceived | events.MessageEdited | events.FormSubmitted
Spoken = Written | events.CallVoicemailLeft


def words(event: Written) -> str:
    """Return the customer's words, with the title of a mail, unless the mail is a reply."""
    if event.personal is None:
        return events.ERASED
    if isinstance(event, events.FormSubmitted):
        return event.personal.text
    title, text = event.personal.title, event.personal.reply_text or event.personal.text
    if not title or event.open.in_reply_to is not None or _REPLY.match(title):
        return text
    return f"{title}\n{text}" if text else title


def _heard(talk: Talk, event: Written) -> Talk:
    """Return the talk with the customer's message. A message from a machine is kept and awaits no answer, and one that
    was written anew is not one more.

    One mail to two of our mailboxes comes twice, with the same words under the same Message-ID, and is said once.
    """
    text = words(event) or _unspoken(event)
    mails = talk.mails
    if event.open.medium == "mail" and not event.open.automatic:
        mail = scoped_id("mail", event.open.provider_id, text)
        if mail in mails:
            return talk
        mails = (*mails, mail)[-SAID_KEPT:]
    name = event.personal.name if event.personal else None
    writer = people.writer(name, people.handles_of(event))
    talk = _with_quotable(say(talk, event, "customer", text, writer), event)
    if event.open.automatic or event.imported:
        return talk
    if isinstance(event, events.MessageEdited):
        return replace(talk, unanswered=max(1, talk.unanswered), mails=mails)
    return replace(talk, unanswered=talk.unanswered + 1, mails=mails)


def _with_quotable(talk: Talk, event: Written | events.MessageEchoed) -> Talk:
    """Return the talk with the provider's name of a message: of one that was written anew, that of the first."""
    if isinstance(event, events.FormSubmitted):
        return talk
    edited = isinstance(event, events.MessageEdited)
    named = (event.open.refers_to if edited else None) or event.open.provider_id
    opened = event.open
    its = {event.id: Quotable(channel=opened.channel, account=opened.account, provider_id=named)}
    kept = {each.event for each in talk.said}
    quotable = {name: each for name, each in {**talk.quotable, **its}.items() if name in kept}
    return replace(talk, quotable=quotable)


def _spoken(talk: Talk, event: events.CallVoicemailLeft) -> Talk:
    """Return the talk with a voicemail, and again with its words once a machine has heard them: she waits once."""
    text = (event.personal.text if event.personal else events.ERASED) or VOICEMAIL
    name = event.personal.name if event.personal else None
    writer = people.writer(name, people.handles_of(event))
    talk = say(talk, event, "customer", text, writer)
    return talk if event.open.refers_to else replace(talk, unanswered=talk.unanswered + 1)


def _unspoken(event: Written) -> str:
    """Return what stands for a message without words: she sent something all the same."""
    count = event.open.attachments
    return f"[{count} attachment{'s' * (count != 1)}]" if count else ""


def say(
    talk: Talk,
    event: Spoken | events.MessageEchoed | events.MessageRequested | events.AttachmentEvent,
    by: str,
    text: str,
    writer: Writer | None = None,
) -> Talk:
    """Return the talk with one thing more, which stands where it was said, however late it was heard."""
    cut, kept = max(0, len(text) - SAID_MAX_CHARACTERS), text[:SAID_MAX_CHARACTERS]
    latest = Said(
        at=event.happened,
        by=by,
        channel=event.open.channel,
        text=kept,
        cut=cut,
        writer=writer,
        event=event.id,
        quoted=_quoted(talk, event),
    )
    place = bisect_right(talk.said, latest.at, key=lambda each: each.at)
    return _keep(talk, (*talk.said[:place], latest, *talk.said[place:]))


def _quoted(talk: Talk, event: events.AnyEvent) -> str | None:
    """Return the beginning of what a message answers: as its provider tells it, else what was said under that id."""
    hers = events.MessageReceived | events.MessageEdited | events.MessageEchoed
    if not isinstance(event, hers) or event.personal is None:
        return None
    quoted = event.personal.quoted
    if quoted is None and not isinstance(event, events.MessageEdited):
        quoted = _said_under(talk, event.open)
    return quoted and quoted[:QUOTED_MAX_CHARACTERS]


def _said_under(talk: Talk, opened: events.MessageReceivedOpen) -> str | None:
    """Return the words of the message that another one names by its provider's id, as long as they are kept."""
    wanted = (opened.channel, opened.account, opened.refers_to)
    sent = {out.event: out for out in talk.outbound.values() if out.provider_id is not None}
    for each in talk.said if opened.refers_to else ():
        known = (
            None if each.event is None else talk.quotable.get(each.event) or sent.get(each.event)
        )
        if known is not None and (known.channel, known.account, known.provider_id) == wanted:
            return each.text
    return None


def _attached(talk: Talk, event: events.AttachmentEvent) -> Talk:
    """Return the talk with a file beside what was said with it, as long as that is kept.

    What was said in a call stands nowhere but in its recording, which is a thing said of its own.
    """
    came_with = event.open.message
    if event.open.medium == "call" and all(each.event != came_with for each in talk.said):
        talk, came_with = say(talk, event, "customer", RECORDING), event.id
    said = [
        replace(each, files=[*each.files, _file(event)]) if each.event == came_with else each
        for each in talk.said
    ]
    return replace(talk, said=tuple(said))


def _file(event: events.AttachmentEvent) -> SaidFile:
    name = event.personal.file_name if event.personal else None
    file = SaidFile(
        attachment_id=event.open.attachment_id, name=name and name[:FILE_NAME_MAX_CHARACTERS]
    )
    if isinstance(event, events.AttachmentFailed):
        return replace(file, lost=event.open.reason)
    stored = event.open
    return replace(
        file, media_type=stored.media_type, size_bytes=stored.size_bytes, sha256=stored.sha256
    )


def _keep(talk: Talk, said: tuple[Said, ...]) -> Talk:
    """Return the talk with the newest of what was said."""
    dropped = max(0, len(said) - SAID_KEPT)
    return replace(talk, said=said[dropped:], said_before=talk.said_before + dropped)


def _merged(talk: Talk, event: events.ConversationMerged) -> Talk:
    """Return the talk with what was said in another conversation, in the order in which all was said."""
    if event.personal is None:
        return talk
    came = event.personal.packet
    both = sorted((*came.said, *talk.said), key=lambda each: each.at)
    kept = _keep(replace(talk, said_before=talk.said_before + came.more.said), tuple(both))
    return replace(kept, unanswered=talk.unanswered + came.open.unanswered)


def _ended(talk: Talk, event: events.OutcomeEvent) -> Talk:
    """Return the talk with what became of a message, be it one that was written where this matter was before."""
    wanted = event.open.message_id
    if wanted is None:
        return talk
    out = talk.outbound.get(wanted) or Outbound(message_id=wanted, channel=event.open.channel)
    known = replace(
        out,
        status=event.type.partition(".")[2],
        provider_id=event.open.refers_to or out.provider_id,
        sent=event.happened if isinstance(event, events.MessageSent) else out.sent,
    )
    told = replace(talk, outbound={**talk.outbound, out.message_id: known})
    return told if known.provider_id == out.provider_id else _without_echo(told, known)


def _without_echo(talk: Talk, out: Outbound) -> Talk:
    """Return the talk without what came as written elsewhere before it was known that it left from here."""
    here = (out.channel, out.account, out.provider_id)
    echoes = {
        event
        for event, each in talk.quotable.items()
        if (each.channel, each.account, each.provider_id) == here
    }
    said = tuple(each for each in talk.said if each.by != OURS or each.event not in echoes)
    return replace(talk, said=said)
