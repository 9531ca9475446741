"""Commands, queries and the customer's matter."""

from shared.errors.base import TellonceError

# -- commands and queries -----------------------------------------------------------------------


class CommandUnreadable(TellonceError):
    code = "command.unreadable"
    sentence = "the body is not a valid request for this subject"


class CommandUnknown(TellonceError):
    code = "command.unknown"
    sentence = "there is no command or query of this name"
    http_status = 404


class CommandStale(TellonceError):
    """Details: what stands; sequence, of the last that the customer wrote or called."""

    code = "command.stale"
    sentence = "what the caller saw is no longer what stands"
    http_status = 409


class CommandTooOld(TellonceError):
    code = "command.too_old"
    sentence = "the command was issued longer ago than its id is remembered"


class CommandTooNew(TellonceError):
    code = "command.too_new"
    sentence = "the command was issued in the future"


class CommandIdReused(TellonceError):
    code = "command.id_reused"
    sentence = "this command id was used before with another body"
    http_status = 409


class CommandForbidden(TellonceError):
    code = "command.forbidden"
    sentence = "this actor may not do that here"
    http_status = 403


class QueryForbidden(TellonceError):
    code = "query.forbidden"
    sentence = "this caller may not ask that here"
    http_status = 403


class EntryUnknown(TellonceError):
    code = "entry.unknown"
    sentence = "the ledger holds no entry with this hash at this place"
    http_status = 404


class ParkedUnknown(TellonceError):
    code = "parked.unknown"
    sentence = "nothing is parked under this id"
    http_status = 404


class ParkedGone(TellonceError):
    """Remedy: skip it, and have its sender deliver it again."""

    code = "parked.gone"
    sentence = "the stream does not keep the parked message any more"
    http_status = 410


class ParkedUnread(TellonceError):
    """Remedy: look at the evidence in RAW, have it sent as its channel can be read, and skip this one."""

    code = "parked.unread"
    sentence = "what could not be read is not read again"
    http_status = 409


class ParkedFailsAgain(TellonceError):
    """It stays parked; the traceback stands in the log. Details: error, the class of the exception."""

    code = "parked.fails_again"
    sentence = "the parked message failed again, for a reason that nobody expected"
    http_status = 500


class PositionNotReached(TellonceError):
    code = "query.position_not_reached"
    sentence = "the projection has not reached the position asked for in the time given"
    retryable = True
    http_status = 503


class PositionBeyondEnd(PositionNotReached):
    code = "query.position_beyond_end"
    sentence = "the ledger does not hold the position asked for; ask for one that a reply or an event named"
    retryable = False
    http_status = 400


class ViewUnavailable(TellonceError):
    code = "query.unavailable"
    sentence = "the store behind this query does not answer"
    retryable = True
    http_status = 503


class AnswerTooLarge(TellonceError):
    code = "query.answer_too_large"
    sentence = "the answer is larger than one message may be"


class RangeTooLarge(TellonceError):
    """Details: conversations_max or stretches_max, of how much one answer is made."""

    code = "query.range_too_large"
    sentence = "the range holds more than one answer is made of; ask for a shorter one"


# -- the customer's matter ----------------------------------------------------------------------


class ConversationUnknown(TellonceError):
    code = "conversation.unknown"
    sentence = "there is no such conversation"
    http_status = 404


class ConversationResolved(TellonceError):
    """Details: into, where a merged conversation goes on."""

    code = "conversation.resolved"
    sentence = "the conversation is resolved"
    http_status = 409


class ConversationNotOwned(TellonceError):
    code = "conversation.not_owned"
    sentence = "only the owner of the conversation may do that"
    http_status = 409


class ConversationNotSupervised(TellonceError):
    code = "conversation.not_supervised"
    sentence = "only the supervisor of a queue of the conversation may do that"
    http_status = 403


class ConversationOfAnother(TellonceError):
    """Resolve it, or let it go on: what this writer sends after the end opens a conversation that can be confirmed.

    Details: customer, whose it is.
    """

    code = "conversation.of_another"
    sentence = "the conversation holds what another customer wrote or told, and is not handed over with one contact"
    http_status = 409


class ConversationNotWrappedUp(TellonceError):
    code = "conversation.not_wrapped_up"
    sentence = "a contact of the conversation has no wrap-up yet"
    http_status = 409


class ConversationOpen(TellonceError):
    code = "conversation.open"
    sentence = "the conversation is not resolved"
    http_status = 409


class ReopenTooLate(TellonceError):
    """Details: resolved, when it was closed. Remedy: what the customer sends now opens a new conversation."""

    code = "reopen.too_late"
    sentence = "the conversation was resolved longer ago than the policy lets it be opened again"
    http_status = 409


class ReopenMerged(TellonceError):
    """Details: into, where it goes on."""

    code = "reopen.merged"
    sentence = "the conversation goes on in another one"
    http_status = 409


class SnoozeUntilInvalid(TellonceError):
    code = "snooze.until_invalid"
    sentence = "a conversation is put aside until a time after now, within 366 days"


class SnoozeNotNow(TellonceError):
    """Details: why, `call` or `transfer`."""

    code = "snooze.not_now"
    sentence = "a call goes on in the conversation, or somebody is asked to take it over"
    http_status = 409


class LabelUnknown(TellonceError):
    """Details: label."""

    code = "label.unknown"
    sentence = "the policy lists the labels, and this is none of them"


class LabelTooMany(TellonceError):
    """Details: limit."""

    code = "label.too_many"
    sentence = "the conversation would have more labels than anybody reads"


class ContactUnknown(TellonceError):
    code = "contact.unknown"
    sentence = "the conversation has no such contact"
    http_status = 404


class CustomerUnknown(TellonceError):
    code = "customer.unknown"
    sentence = "there is no such customer"
    http_status = 404


class HandleInvalid(TellonceError):
    """Details: kind."""

    code = "handle.invalid"
    sentence = "this is no handle of its kind: no phone number, no e-mail address, nothing at all"


class OfferExpired(TellonceError):
    code = "offer.expired"
    sentence = "the offer no longer stands"
    http_status = 409


class OfferNotYours(TellonceError):
    code = "offer.not_yours"
    sentence = "the offer was made to another agent"
    http_status = 409


class FactUnknown(TellonceError):
    code = "fact.unknown"
    sentence = "the conversation holds no such live fact"
    http_status = 404


class PromiseDueInvalid(TellonceError):
    code = "promise.due_invalid"
    sentence = "a promise is due after it is made, and within ten years"


class PromiseNotOpen(TellonceError):
    code = "promise.not_open"
    sentence = "there is no such open promise"
    http_status = 409


class CallbackNotOpen(TellonceError):
    code = "callback.not_open"
    sentence = "there is no such open callback"
    http_status = 409


class AgentUnknown(TellonceError):
    code = "agent.unknown"
    sentence = "the policy has no such agent"
    http_status = 404


class QueueUnknown(TellonceError):
    code = "queue.unknown"
    sentence = "the policy has no such queue"
    http_status = 404


class AgentSignedOut(TellonceError):
    code = "agent.signed_out"
    sentence = "the agent is not signed in"
    http_status = 409


class AgentNotThere(TellonceError):
    """Details: agent; status, `away` or `signed_out`."""

    code = "agent.not_there"
    sentence = "the agent has signed out or makes a pause, and is given nothing"
    http_status = 409


class TextTooLong(TellonceError):
    code = "text.too_long"
    sentence = "the text is longer than this field takes"


class TextHasNul(TellonceError):
    code = "text.has_nul"
    sentence = "the text holds a NUL byte"


class MessageChannelUnknown(TellonceError):
    code = "message.channel_unknown"
    sentence = "the policy has no account of this channel with an address of its own"


class MessageNoAddress(TellonceError):
    code = "message.no_address"
    sentence = "the customer has no address on this channel"


class MessageAsksAgain(TellonceError):
    code = "message.asks_again"
    sentence = "the customer told this already: it stands in the packet"


class MessageQuoteUnknown(TellonceError):
    code = "message.quote_unknown"
    sentence = "no message of the customer on this channel is known under this id, or it is too old to be quoted"


class ContactTimeInvalid(TellonceError):
    code = "contact.time_invalid"
    sentence = "a contact that is recorded was at most 366 days ago, and not later than now"


class AnnouncementUnknown(TellonceError):
    code = "announcement.unknown"
    sentence = "no such announcement holds, or is going to"
    http_status = 404


class AnnouncementTimeInvalid(TellonceError):
    code = "announcement.time_invalid"
    sentence = (
        "an announcement begins within 366 days, ends within 366 days more, and is not over yet"
    )


class AnnouncementsTooMany(TellonceError):
    """Details: limit. Remedy: withdraw what is over."""

    code = "announcement.too_many"
    sentence = "so many announcements hold already that nobody would read one more"


class MessageConsentWithdrawn(TellonceError):
    code = "message.consent_withdrawn"
    sentence = "the customer does not want to be written to on this channel"


class NotificationUnknown(TellonceError):
    code = "notification.unknown"
    sentence = "there is no such notification"
    http_status = 404
