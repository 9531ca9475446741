"""The owner goes on with the customer on another channel (docs/adr/0098)."""

from services.router.domain.decision import Decision
from services.router.domain.handover import attach_packet
from services.router.domain.recipients import recipient
from shared import commands, errors, events


def switch_channel(decision: Decision, command: commands.SwitchChannel) -> None:
    """What was told goes along, as when the customer comes by it herself; there already: decide nothing.

    Raises: MessageChannelUnknown, MessageNoAddress, MessageConsentWithdrawn.
    """
    contacts = decision.conversation.contacts
    if recipient(decision.policy, decision.loaded, command.channel) is None:
        raise errors.MessageNoAddress(channel=command.channel)
    if decision.customer.withdrew(command.channel):
        raise errors.MessageConsentWithdrawn(channel=command.channel)
    last = contacts.latest
    if last is None or command.channel == contacts.goes_on:
        return
    packet_id = attach_packet(decision)
    decision.on_conversation(
        events.ChannelSwitched,
        events.ChannelSwitchedOpen(
            contact_id=last.contact_id,
            from_channel=contacts.goes_on or last.channel,
            to_channel=command.channel,
            to_owner=decision.by,
            packet_id=packet_id,
            by=decision.by,
        ),
    )
