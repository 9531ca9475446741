"""The ledger, the bus, the settings: what stands under the work."""

from collections.abc import Mapping

from shared.errors.base import TellonceError

# -- events and the ledger ----------------------------------------------------------------------


class EventTypeUnknown(TellonceError):
    code = "event.unknown_type"
    sentence = "the aggregate holds an event type that this version does not know"
    retryable = True


class EventNotApplied(TellonceError):
    """Details: sequence, sha256, error. Remedy: mend the code, or have an operator reject the entry."""

    code = "event.not_applied"
    sentence = "the projection cannot apply an event of the ledger"
    retryable = True


class EventUnwritable(TellonceError):
    """Nothing was stored. Details: field, and reason: `instant_out_of_range` (before 1970, from 2200 on, without a zone
    or with one of odd seconds), `half_a_character`, `whole_number_too_large`, `id_too_long`,
    `nul_in_id`."""

    code = "event.unwritable"
    sentence = "the event holds a value that a store behind the ledger cannot keep"


class InternalFailure(TellonceError):
    code = "internal.failure"
    sentence = "this is a fault of ours"
    retryable = True
    http_status = 500


class TimerKindUnknown(TellonceError):
    code = "timer.kind_unknown"
    sentence = "the timer asks a question that this version does not know"
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


class LedgerUnfounded(TellonceError):
    code = "ledger.unfounded"
    sentence = "the ledger has no identity yet: run the bootstrap job, `python -m deploy.bootstrap`"


class LedgerContradicted(TellonceError):
    """Details: `witness`: who remembers another ledger: `mark` in the data folder, `projection` in Postgres, `raw`;
    `reason`: the ledger is `empty`, `shorter` than the witness, or an `other` one. Nothing was acknowledged."""

    code = "ledger.contradicted"
    sentence = (
        "what stands beside the ledger was made from another one: put the newest copy of the ledger back, "
        "or accept this one with `tellonce ledger adopt --reason TEXT`"
    )


class MarkUnreadable(TellonceError):
    code = "ledger.mark_unreadable"
    sentence = (
        "the file that remembers the ledger cannot be read or written: "
        "mend it, or delete it and run `tellonce ledger check`"
    )


class LedgerBatchTooLarge(TellonceError):
    code = "ledger.batch_too_large"
    sentence = "the events of one append exceed the limits of an atomic batch"


class StreamDrift(TellonceError):
    code = "stream.drift"
    sentence = (
        "a stream or consumer is missing, not configured as this version needs it, or no longer holds what was read: "
        "`python -m deploy.bootstrap` makes what is missing; a stream or field that the details name and the job "
        "refuses too is mended by hand: restore the stream from its backup, or set the field"
    )


class ConsumerStuck(TellonceError):
    """Details: stream, consumer."""

    code = "consumer.stuck"
    sentence = "a consumer has work and makes no step"
    retryable = True
    http_status = 503


class StillReading(TellonceError):
    """A service that starts knows too little yet to act on it. Details: position, wanted."""

    code = "service.still_reading"
    sentence = "the service still reads what was recorded before it began"
    retryable = True
    http_status = 503


class ServiceNotReady(TellonceError):
    """What `/readyz` answers, with the `troubles`."""

    code = "service.not_ready"
    sentence = "the service does not do its work"
    retryable = True
    http_status = 503


class ServiceStalled(TellonceError):
    """What `/livez` answers: only another process helps."""

    code = "service.stalled"
    sentence = "the service has not looked after itself for half a minute"
    retryable = True
    http_status = 503


class LedgerGuardsTooMany(TellonceError):
    """Each guard needs one event of the batch that is not the first of its aggregate. Details: guards, free."""

    code = "ledger.guards_too_many"
    sentence = "the append has more guards than events that can carry one"


# -- the bus ------------------------------------------------------------------------------------


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
    """Repeat the whole list with the same ids.

    By index in the list: `stored` is what was acknowledged, `refused` the server's code for what it would not take.
    `answered`: whether that is all of them.
    """

    code = "bus.store_incomplete"
    sentence = "not every message of the list was stored"

    def __init__(
        self, wanted: int, stored: Mapping[int, object], refused: Mapping[int, int]
    ) -> None:
        first = next(iter(refused.values()), None)
        super().__init__(wanted=wanted, acknowledged=len(stored), err_code=first)
        self.stored = stored
        self.refused = refused
        self.answered = len(stored) + len(refused) >= wanted


class BusUnauthorized(TellonceError):
    """Where credentials were exchanged: start the process again, it reads its seed at its start."""

    code = "bus.unauthorized"
    sentence = (
        "the bus does not know us, or not any more: the file that TELLONCE_NATS_SEED_FILE names must hold the seed "
        "of a user that the server's configuration has"
    )
    http_status = 503


class BusForbidden(TellonceError):
    """Nothing was sent or heard. Details: subject, as the server names it."""

    code = "bus.forbidden"
    sentence = "the bus does not let us do this: docs/reference/rights.md says who may do what"
    http_status = 500


class JetStreamRefused(TellonceError):
    """Details: err_code and description as the server gives them."""

    code = "bus.refused"
    sentence = "the stream refused the message or the call"
    http_status = 500


# -- policy and settings ------------------------------------------------------------------------


class PolicyInvalid(TellonceError):
    code = "policy.invalid"
    sentence = "the policy file does not fit its schema or contradicts itself"


class SecretPublic(TellonceError):
    code = "setting.secret_public"
    sentence = (
        "the doors are reached from other machines and a secret is the embedded stack's, which everybody can read; "
        "name a file of your own in TELLONCE_SECRETS_FILE"
    )


class SettingInvalid(TellonceError):
    code = "setting.invalid"
    sentence = "an environment variable is missing, unreadable or beyond its limit"
