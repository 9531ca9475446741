"""What was expected and met must hold at the end, unless the story itself went on to change it."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from deploy.story.checks.second_look import look_again, may_change
from deploy.story.errors import StepFailed
from deploy.story.file.model import Expect
from deploy.story.file.reading import parse_story
from deploy.story.providers.api_server import ApiServer
from deploy.story.providers.mail_sink import Mail, MailSink
from deploy.story.session import Met, Session

HERE = Path(__file__).parent
MAIL = Mail(("anna@mail.example",), "Hello", "Dear Mrs Anna", "<1@x>")
ONE_MAIL = "  - {expect: mail, to: anna@mail.example, count: 1}\n"


def stage_of(steps: str) -> Session:
    """As much of a session as a second look at mails needs; each expectation of the steps was met."""
    story = parse_story(f"story: sample\nsteps:\n{steps}".encode(), HERE)
    met = [Met(n, step) for n, step in enumerate(story.steps, 1) if isinstance(step, Expect)]
    return cast(
        "Session", SimpleNamespace(story=story, sink=MailSink(), apis=ApiServer({}), met=met)
    )


async def test_a_second_mail_is_seen_at_the_end() -> None:
    """`count: 1` was met by the first mail; the one that comes later is not overlooked."""
    session = stage_of(ONE_MAIL + "  - {as: piotr, do: resolve}\n")
    session.sink.mails.append(MAIL)
    await look_again(session)
    session.sink.mails.append(MAIL)
    with pytest.raises(StepFailed, match="step 1 was met, and is not any more") as failed:
        await look_again(session)
    assert failed.value.code == "expect.mail"


async def test_a_second_mail_that_the_story_sends_is_no_failure() -> None:
    """What was met before a step that rightly changes it has had its time."""
    session = stage_of(ONE_MAIL + "  - {as: piotr, do: send_message, with: {text: Hello}}\n")
    session.sink.mails += [MAIL, MAIL]
    await look_again(session)


DOOR = "{door: form/contact, body: {a: b}}"
RECEIPT = "{receipt: form/contact, says: read}"
ACCEPT = "{as: piotr, do: accept_offer}"


@pytest.mark.parametrize(
    ("wanted", "later", "may"),
    [
        ("{expect: repeats, is: 0}", DOOR, True),
        ("{expect: repeats, is: 0}", "{as: piotr, do: record_fact}", True),
        ("{expect: repeats, is: 0}", ACCEPT, False),
        ("{expect: repeats, is: 0}", "{restart: all}", False),
        ("{expect: repeats, is: 0}", "{kill: router}", False),
        ("{expect: balance, duplicate: 0}", DOOR, True),
        ("{expect: balance, duplicate: 0}", ACCEPT, False),
        ("{expect: balance, duplicate: 0}", "{restart: all}", False),
        ("{expect: mail, to: a@mail.example, count: 1}", DOOR, False),
        ("{expect: mail, to: a@mail.example, count: 1}", "{tamper: mail}", True),
        ("{expect: message, by: form, count: 1}", DOOR, False),
        ("{expect: message, by: form, count: 1}", RECEIPT, False),
        ("{expect: message, by: form, count: 1}", "{as: piotr, do: send_message}", True),
        ("{expect: message, by: form, count: 1}", "{restart: all}", False),
        ("{expect: timeline, count: {message.read: 1}}", RECEIPT, True),
        ("{expect: timeline, count: {message.received: 1}}", DOOR, True),
        ("{expect: timeline, count: {message.received: 1}}", ACCEPT, False),
        ("{expect: timeline, conversations: 1}", ACCEPT, False),
        ("{expect: timeline, conversations: 1}", "{as: ewa, do: record_contact}", True),
        ("{expect: balance, duplicate: 0}", "{as: ewa, do: record_contact}", True),
        ("{expect: timeline, lacks: [contact.accepted]}", ACCEPT, True),
        ("{expect: timeline, count: {contact.offered: 1}}", "{restart: all}", True),
        ("{expect: timeline, count: {contact.accepted: 1}}", "{ask: inbox}", False),
        ("{expect: owner, is: piotr}", f"{{together: [{ACCEPT}, {DOOR}]}}", True),
        ("{expect: repeats, is: 0}", f"{{together: [{ACCEPT}, {ACCEPT}]}}", False),
    ],
)
def test_a_step_may_change_only_what_it_leads_to(wanted: str, later: str, may: bool) -> None:
    """A delivery changes all but mails, a command what commands lead to, a kill nothing."""
    head = "story: sample\nmust_fail: any\nsteps:\n"
    story = parse_story(f"{head}  - {wanted}\n  - {later}\n".encode(), HERE)
    first, step = story.steps
    assert isinstance(first, Expect)
    assert may_change(step, first) is may
