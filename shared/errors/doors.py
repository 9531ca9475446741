"""What comes in from outside and is refused."""

from shared.errors.base import TellonceError

# -- doors: what a provider or a visitor sends --------------------------------------------------


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


class FileRefused(TellonceError):
    code = "door.file_refused"
    sentence = "files of this kind are not taken"
    http_status = 415


class DoorUnavailable(TellonceError):
    code = "door.unavailable"
    sentence = "the delivery could not be stored; send it again"
    retryable = True
    http_status = 503


class BodiesTooMany(TellonceError):
    code = "door.bodies_too_many"
    sentence = "more is on its way at once than ingest holds; send it again"
    retryable = True
    http_status = 503


class DeliveryTooSlow(TellonceError):
    code = "door.too_slow"
    sentence = "the request did not come at the least rate or in the time given; send it again"
    retryable = True
    http_status = 408


class StrangersTooMany(TellonceError):
    code = "door.strangers_too_many"
    sentence = "too many visitors whom nobody vouches for come at once; try again in a minute"
    retryable = True
    http_status = 429


class FramesTooMany(TellonceError):
    code = "door.frames_too_many"
    sentence = "the socket sent more frames than one chat may; open another and send again what was not acknowledged"
    retryable = True
    http_status = 429


class HeadTooLarge(TellonceError):
    code = "door.head_too_large"
    sentence = "the request line and header fields are larger than a door takes"
    http_status = 431


class RequestUnreadable(TellonceError):
    code = "door.request_unreadable"
    sentence = "this is no HTTP request that a door reads"


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


# -- payloads: what was taken and cannot be read ------------------------------------------------


class PayloadUnreadable(TellonceError):
    code = "payload.unreadable"
    sentence = "the body is not what this channel sends"


class PartlyRead(TellonceError):
    code = "payload.partly_read"
    sentence = "a delivery holds more than is read of one: the rest stands in RAW alone"


class PayloadKindUnknown(TellonceError):
    code = "payload.kind_unknown"
    sentence = "the channel does not know this kind of delivery"


class AccountLeft(TellonceError):
    code = "account.left"
    sentence = "deliveries of an account that left the policy wait for nobody: put it back until they are normalised"


class DeliveryOvertaken(TellonceError):
    code = "delivery.overtaken"
    sentence = "another delivery of the account was stored meanwhile"


class BodyMissing(TellonceError):
    code = "payload.body_missing"
    sentence = "a part of the body is no longer stored"


class BodyDamaged(TellonceError):
    code = "payload.body_damaged"
    sentence = "what is read is not the body that was stored"


class NotAnEvent(TellonceError):
    code = "payload.not_an_event"
    sentence = "it is no event: none of Tellonce on the bus, none of its provider at a door"


# -- providers that ingest reads itself: mailboxes, exchanges, lists --------------------------------------


class ProviderUnavailable(TellonceError):
    code = "provider.unavailable"
    sentence = "what the account reads is not reached, or the connection ended or fell silent; it is tried again"


class ProviderRefused(TellonceError):
    code = "provider.refused"
    sentence = "what the account reads does not let its user in with this password, or not to all that is needed"


class ProviderGrantEnded(TellonceError):
    """Remedy: whoever owns the mailbox allows the access again, and the new refresh token takes the old one's place."""

    code = "provider.grant_ended"
    sentence = "the provider takes the refresh token no longer: the mailbox's owner has to allow the access again"


class ProviderWithoutSecrets(TellonceError):
    code = "provider.without_secrets"
    sentence = "an account that reads a mailbox, an exchange or a list needs the secrets for it"


class ProviderNotUnderstood(TellonceError):
    code = "provider.not_understood"
    sentence = "what answers where the account reads speaks another protocol, or beyond all measure"


class ProviderWithoutList(TellonceError):
    code = "provider.without_list"
    sentence = "an account has `poll`, and its channel has no list that could be asked for"


# -- attachments: files that came with messages ---------------------------------------------------


class AttachmentUnknown(TellonceError):
    code = "attachment.unknown"
    sentence = "there is no such file, or its address is no longer good"
    http_status = 404


class AttachmentLost(TellonceError):
    code = "attachment.lost"
    sentence = "the file is no longer as it was stored"
    http_status = 410


class AttachmentsBusy(TellonceError):
    code = "attachment.busy"
    sentence = "as many files are being read as ingest gives at once; ask again"
    retryable = True
    http_status = 503


class FilesUnavailable(TellonceError):
    """Details: `reason`: `unreachable`, `busy`, `refused`, or `not_set`: the file stands in a store that the settings
    no longer name; `says`: the store's own word, such as `NoSuchBucket` or `SignatureDoesNotMatch`."""

    code = "files.unavailable"
    sentence = "the store of files does not give or take it"
    retryable = True
    http_status = 503
