"""The errors of Tellonce: one small tree, each leaf with a stable code.

A `code` has the form `<noun>.<reason>` and is API: never changed, never reused. The sentence may change.
Ids, sequences and limits go into `details`, never into the sentence; personal data goes into neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class TellonceError(Exception):
    """Root of all errors that Tellonce raises on purpose.

    Attributes:
        code: stable identifier, `<noun>.<reason>`.
        retryable: the same call may succeed later without a change (redeliver), else it never will.
        http_status: what a door answers.
        details: ids, limits and positions; no personal data.
    """

    code: ClassVar[str]
    sentence: ClassVar[str]
    retryable: ClassVar[bool] = False
    http_status: ClassVar[int] = 400

    def __init__(self, sentence: str | None = None, **details: str | int | bool | None) -> None:
        super().__init__(sentence or self.sentence)
        self.details = details

    def problem(self) -> dict[str, object]:
        """Return the error as commands, queries and doors answer it: code, message, retryable, details."""
        return {
            "code": self.code,
            "message": str(self),
            "retryable": self.retryable,
            "details": self.details,
        }


# -- doors: what a provider or a visitor sends ---------------------------------------------------


class SignatureInvalid(TellonceError):
    code = "door.signature_invalid"
    sentence = "the signature is missing or does not match the body and the public address"
    http_status = 403


class AccountUnknown(TellonceError):
    code = "door.account_unknown"
    sentence = "the tenant has no such account on this channel"
    http_status = 404


class BodyTooLarge(TellonceError):
    code = "door.body_too_large"
    sentence = "the body is larger than this door takes"
    http_status = 413


class DoorUnavailable(TellonceError):
    code = "door.unavailable"
    sentence = "the delivery could not be stored; send it again"
    retryable = True
    http_status = 503


class MethodUnknown(TellonceError):
    code = "door.method_unknown"
    sentence = "a door takes POST only"
    http_status = 405


class OriginForbidden(TellonceError):
    code = "door.origin_forbidden"
    sentence = "pages of this origin may not open a chat here"
    http_status = 403


class TenantUnknown(TellonceError):
    code = "tenant.unknown"
    sentence = "there is no such tenant here"
    http_status = 404


# -- payloads: what was taken and cannot be read ---------------------------------------------------


class PayloadUnreadable(TellonceError):
    code = "payload.unreadable"
    sentence = "the body is not what this channel sends"


class PayloadKindUnknown(TellonceError):
    code = "payload.kind_unknown"
    sentence = "the channel does not know this kind of delivery"


class NotAnEvent(TellonceError):
    code = "payload.not_an_event"
    sentence = "the message is not a Tellonce event"


# -- events and the ledger -------------------------------------------------------------------------


class EventTypeUnknown(TellonceError):
    code = "event.unknown_type"
    sentence = "the aggregate holds an event type that this version does not know"
    retryable = True


class LedgerConflict(TellonceError):
    """The aggregate moved on: reload, decide again. Details: aggregate, expected, actual (None: unknown)."""

    code = "ledger.conflict"
    sentence = "the aggregate was written by somebody else in the meantime"
    retryable = True
    http_status = 409


class LedgerUnavailable(TellonceError):
    """The outcome is unknown, and may be decided later (docs/adr/0010): repeating the same append is safe."""

    code = "ledger.unavailable"
    sentence = "the ledger does not answer"
    retryable = True
    http_status = 503


class LedgerBatchTooLarge(TellonceError):
    code = "ledger.batch_too_large"
    sentence = "the events of one append exceed the limits of an atomic batch"


class StreamDrift(TellonceError):
    code = "stream.drift"
    sentence = "a stream or consumer is missing or not configured as this version needs it"


class LedgerGuardsTooMany(TellonceError):
    """Each guard needs one event of the batch that is not the first of its aggregate. Details: guards, free."""

    code = "ledger.guards_too_many"
    sentence = "the append has more guards than events that can carry one"


# -- the bus -----------------------------------------------------------------------------------------


class BusUnavailable(TellonceError):
    """There is no connection, or the stream has no leader: nothing was stored by this try."""

    code = "bus.unavailable"
    sentence = "the bus does not answer"
    retryable = True
    http_status = 503


class NoResponders(BusUnavailable):
    code = "bus.no_responders"
    sentence = "nobody listens on this subject"


class TimedOut(BusUnavailable):
    """The outcome is unknown."""

    code = "bus.timed_out"
    sentence = "no answer came in the time given"


class StoreIncomplete(BusUnavailable):
    """Repeat the whole list with the same ids. `stored`: what was acknowledged, by index in the list."""

    code = "bus.store_incomplete"
    sentence = "not every message of the list was stored"

    def __init__(self, wanted: int, stored: Mapping[int, object], err_code: int | None) -> None:
        super().__init__(wanted=wanted, acknowledged=len(stored), err_code=err_code)
        self.stored = stored


class JetStreamRefused(TellonceError):
    """Details: err_code and description as the server gives them."""

    code = "bus.refused"
    sentence = "the stream refused the message or the call"
    http_status = 500


# -- commands and queries ----------------------------------------------------------------------------


class CommandUnreadable(TellonceError):
    code = "command.unreadable"
    sentence = "the body is not a valid request for this subject"


class CommandUnknown(TellonceError):
    code = "command.unknown"
    sentence = "there is no command or query of this name"
    http_status = 404


class CommandStale(TellonceError):
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


class PositionNotReached(TellonceError):
    code = "query.position_not_reached"
    sentence = "the projection has not reached the position asked for in the time given"
    retryable = True
    http_status = 503


class ViewUnavailable(TellonceError):
    code = "query.unavailable"
    sentence = "the store behind this query does not answer"
    retryable = True
    http_status = 503


class AnswerTooLarge(TellonceError):
    code = "query.answer_too_large"
    sentence = "the answer is larger than one message may be"


# -- the customer's matter ---------------------------------------------------------------------------


class ConversationUnknown(TellonceError):
    code = "conversation.unknown"
    sentence = "there is no such conversation"
    http_status = 404


class ConversationResolved(TellonceError):
    code = "conversation.resolved"
    sentence = "the conversation is resolved"
    http_status = 409


class ConversationNotOwned(TellonceError):
    code = "conversation.not_owned"
    sentence = "only the owner of the conversation may do that"
    http_status = 409


class ConversationNotWrappedUp(TellonceError):
    code = "conversation.not_wrapped_up"
    sentence = "a contact of the conversation has no wrap-up yet"
    http_status = 409


class ContactUnknown(TellonceError):
    code = "contact.unknown"
    sentence = "the conversation has no such contact"
    http_status = 404


class CustomerUnknown(TellonceError):
    code = "customer.unknown"
    sentence = "there is no such customer"
    http_status = 404


class IdentityTaken(TellonceError):
    code = "identity.taken"
    sentence = "another customer holds this handle"
    http_status = 409


class OfferExpired(TellonceError):
    code = "offer.expired"
    sentence = "the offer no longer stands"
    http_status = 409


class OfferNotYours(TellonceError):
    code = "offer.not_yours"
    sentence = "the offer was made to another agent"
    http_status = 409


class TransferPacketMissing(TellonceError):
    code = "transfer.packet_missing"
    sentence = "a hand-over without its context packet cannot be written"
    http_status = 500


class TransferNotOpen(TellonceError):
    code = "transfer.not_open"
    sentence = "there is no such open transfer"
    http_status = 409


class TransferAlreadyOpen(TellonceError):
    code = "transfer.already_open"
    sentence = "the conversation is already being transferred"
    http_status = 409


class TransferTargetUnknown(TellonceError):
    code = "transfer.target_unknown"
    sentence = "the policy has no such agent, team or queue"


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


class AgentSignedOut(TellonceError):
    code = "agent.signed_out"
    sentence = "the agent is not signed in"
    http_status = 409


class TextTooLong(TellonceError):
    code = "text.too_long"
    sentence = "the text is longer than this field takes"


class TextHasNul(TellonceError):
    code = "text.has_nul"
    sentence = "the text holds a NUL byte"


class MessageNoAddress(TellonceError):
    code = "message.no_address"
    sentence = "the customer has no address on this channel"


class NotificationUnknown(TellonceError):
    code = "notification.unknown"
    sentence = "there is no such notification"
    http_status = 404


# -- policy and settings -----------------------------------------------------------------------------


class PolicyInvalid(TellonceError):
    code = "policy.invalid"
    sentence = "the policy file does not fit its schema or contradicts itself"


class SettingInvalid(TellonceError):
    code = "setting.invalid"
    sentence = "an environment variable is missing, unreadable or beyond its limit"
