"""How a contact went, and what is found of it."""

from shared.errors.base import TellonceError


class DispositionUnknown(TellonceError):
    """Details: disposition."""

    code = "disposition.unknown"
    sentence = "the policy lists the dispositions, and this is none of them"


class NextStepMissing(TellonceError):
    """Details: disposition."""

    code = "disposition.next_step_missing"
    sentence = "a contact that ends so has a next step"


class ReviewUnknown(TellonceError):
    code = "review.unknown"
    sentence = "no such contact was taken for review in this conversation"
    http_status = 404


class ReviewScored(TellonceError):
    """Details: by, whose score stands."""

    code = "review.scored"
    sentence = "the review has its score already"
    http_status = 409


class ReviewForbidden(TellonceError):
    """Details: queue."""

    code = "review.forbidden"
    sentence = "the supervisor of the contact's queue scores it"
    http_status = 403


class ReviewCardInvalid(TellonceError):
    """Details: criterion, the first one that is missing or that the policy does not list."""

    code = "review.card_invalid"
    sentence = "a score card has each criterion of the policy, and no other"
