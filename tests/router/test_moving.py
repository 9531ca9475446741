"""An agent goes on with the customer on another channel: what goes along, where she is known, and what she wants."""

import pytest

from shared import events
from tests.router.given import Given
from tests.router.samples import call, mail, message, phone

PAGE = events.Handle(kind="account", value="chat:page", proof="claimed")


def of_piotr(*handles: events.Handle) -> Given:
    """A chat that Piotr has, in which she is known by these."""
    wrote = message("ORD-1234 is broken", handles=[PAGE, *handles])
    return Given().on_duty("piotr").reports(wrote).offered().accepted()


def test_it_goes_on_elsewhere_with_the_packet() -> None:
    """The switch names the packet, from where to where, and who did it; the next one reads that among what was done."""
    given = of_piotr(mail()).does("piotr", "record_fact", fact="wish", value="a refund")
    outcome = given.when("piotr", "switch_channel", channel="email")
    assert outcome.types == ["context.packaged", "channel.switched"]
    switched = outcome.of(events.ChannelSwitched)
    assert (switched.from_channel, switched.to_channel) == ("chat", "email")
    assert (switched.by, switched.to_owner) == ("piotr", "piotr")
    after = given.after(outcome)
    assert after.conversation.ownership.owner == "piotr"
    assert not after.conversation.packet.current
    done = after.conversation.matter.done[-1]
    assert (done.what, done.by, done.text) == ("switched", "piotr", "email")


def test_where_it_is_already_it_need_not_go() -> None:
    """A second time decides nothing, and neither does the channel on which she wrote last; back again does."""
    given = of_piotr(mail())
    assert given.when("piotr", "switch_channel", channel="chat").types == ["command.noted"]
    moved = given.does("piotr", "switch_channel", channel="email")
    assert moved.when("piotr", "switch_channel", channel="email").types == ["command.noted"]
    back = moved.when("piotr", "switch_channel", channel="chat").of(events.ChannelSwitched)
    assert (back.from_channel, back.to_channel) == ("email", "chat")


def test_her_answer_there_is_no_second_switch() -> None:
    """She follows; where she then comes by another one, she has switched herself."""
    given = of_piotr(mail()).does("piotr", "switch_channel", channel="email")
    followed = given.reports(message("thank you", "m1", channel="email", handles=[mail()]))
    assert followed.conversation.ownership.handovers == given.conversation.ownership.handovers
    assert followed.conversation.contacts.goes_on == "email"
    called = followed.reports(call("started", handles=[mail(), phone()]))
    assert called.conversation.ownership.handovers == given.conversation.ownership.handovers + 1


def test_she_may_be_called() -> None:
    """A channel of calls is one, where her number is known."""
    given = of_piotr(phone())
    switched = given.when("piotr", "switch_channel", channel="twilio_voice")
    assert switched.of(events.ChannelSwitched).to_channel == "twilio_voice"


@pytest.mark.parametrize(
    ("channel", "code"),
    [("email", "message.no_address"), ("pigeon", "message.channel_unknown")],
)
def test_only_where_she_can_be_reached(channel: str, code: str) -> None:
    """An address that nobody knows, and a channel that the policy has not, are no place to go on."""
    assert of_piotr().when("piotr", "switch_channel", channel=channel).refused == code


def test_the_owner_decides_it() -> None:
    """As whom she writes to."""
    given = of_piotr(mail()).on_duty("ewa")
    assert given.when("ewa", "switch_channel", channel="email").refused == "conversation.not_owned"


def test_an_old_packet_is_no_ground_to_go_on() -> None:
    """Whoever names the packet that she read acknowledges it; another one has more in it."""
    given = of_piotr(mail())
    seen = given.conversation.packet.id
    again = given.does("piotr", "switch_channel", channel="email", expected={"packet_id": seen})
    again = again.does("piotr", "record_fact", fact="wish", value="a refund")
    again = again.does("piotr", "switch_channel", channel="chat")
    stale = again.when("piotr", "switch_channel", channel="email", expected={"packet_id": seen})
    assert stale.refused == "command.stale"
