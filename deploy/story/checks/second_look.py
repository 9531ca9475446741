"""Looks again, at the end, at what was expected and met: "exactly one" is met by the first, and a second may follow.

Looked at again is what no later step of the story may have changed.
"""

from msgspec.structs import replace

from deploy.story.checks.expectations import look
from deploy.story.errors import StepFailed
from deploy.story.file import model, reading
from deploy.story.session import Session

WITHIN = "15s"
BY_DOORS_ALONE = frozenset(
    {
        "call.answered",
        "call.ended",
        "call.held",
        "call.menu_selected",
        "call.missed",
        "call.resumed",
        "call.started",
        "callback.requested",
        "channel.switched",
        "contact.abandoned",
        "contact.missed",
        "conversation.joined",
        "conversation.opened",
        "form.submitted",
        "message.received",
        "payload.quarantined",
    }
)
"""Events that only a delivery leads to: no command, no timer."""
RECORDS = "record_contact"
"""The command that reports a contact as a delivery does."""
ARRIVALS = model.ExpectMail | model.ExpectMessage | model.ExpectChat
"""What arrived at customers."""


async def look_again(session: Session) -> None:
    """Raises: StepFailed, with the code of the first expectation that does not hold any more."""
    for met in session.met:
        if any(may_change(step, met.wanted) for step in session.story.steps[met.n :]):
            continue
        finding = await look(session, replace(met.wanted, within=WITHIN))
        if finding.code is not None:
            sentence = f"step {met.n} was met, and is not any more"
            raise StepFailed(finding.code, sentence, wanted=finding.wanted, got=finding.got)


def may_change(step: model.Step, wanted: model.Expect) -> bool:
    """Tell whether a story may rightly want something else of `wanted` after a step."""
    match step:
        case model.TogetherStep():
            return any(
                may_change(each, wanted) for each in reading.together_steps(step, "together")
            )
        case model.TamperStep():
            return True
        case model.DoorStep() | model.ReceiptStep():
            return not isinstance(wanted, ARRIVALS)
        case model.CommandStep():
            return _command_may_change(step, wanted)
        case model.RestartStep():
            return not isinstance(wanted, ARRIVALS | model.ExpectRepeats) and not _by_doors(wanted)
        case _:
            return False


def _command_may_change(step: model.CommandStep, wanted: model.Expect) -> bool:
    match wanted:
        case model.ExpectMail() | model.ExpectMessage() | model.ExpectChat():
            return step.do == "send_message"
        case model.ExpectRepeats():
            return step.do == "record_fact"
        case _:
            return step.do == RECORDS or not _by_doors(wanted)


def _by_doors(wanted: model.Expect) -> bool:
    """Tell whether only a delivery may change it."""
    if isinstance(wanted, model.ExpectTimeline):
        return {*wanted.count, *wanted.lacks} <= BY_DOORS_ALONE
    return isinstance(wanted, model.ExpectBalance)
