"""A matter is handed on, or up."""

from shared.errors.base import TellonceError


class TransferPacketMissing(TellonceError):
    code = "transfer.packet_missing"
    sentence = "a hand-over without its context packet cannot be written"
    http_status = 500


class TransferNotOpen(TellonceError):
    code = "transfer.not_open"
    sentence = "there is no such open transfer"
    http_status = 409


class TransferNotOutside(TellonceError):
    """Remedy: a colleague of ours answers by `accept_transfer` or `reject_transfer`; its sender may cancel it."""

    code = "transfer.not_outside"
    sentence = "the transfer goes to somebody of ours, who answers it herself"
    http_status = 409


class TransferAlreadyOpen(TellonceError):
    code = "transfer.already_open"
    sentence = "the conversation is already being transferred"
    http_status = 409


class TransferTargetUnknown(TellonceError):
    code = "transfer.target_unknown"
    sentence = "the policy has no such agent, team, queue or external number"


class TransferLoop(TellonceError):
    """Details: path, who had it since she was answered last. Remedy: answer her, or ask a supervisor to assign it."""

    code = "transfer.loop"
    sentence = "the conversation went to this target and came back, and the customer was not answered meanwhile"
    http_status = 409


class EscalationNoLine(TellonceError):
    """Details: queue, of the conversation."""

    code = "escalation.no_line"
    sentence = "the policy names no such next line of the conversation's queue"
    http_status = 409
