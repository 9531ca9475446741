"""The commands on the bus: request/reply on `cmd.<tenant>.<name>`, one JSON object each.

`docs/reference/commands.md` is generated from this package.
"""

from shared.commands.agents import *  # noqa: F403
from shared.commands.agents import AGENT_COMMANDS
from shared.commands.announcements import *  # noqa: F403
from shared.commands.announcements import ANNOUNCEMENT_COMMANDS
from shared.commands.base import *  # noqa: F403  this module is the contract's table of contents
from shared.commands.base import Command
from shared.commands.contacts import *  # noqa: F403
from shared.commands.contacts import CONTACT_COMMANDS
from shared.commands.conversation import *  # noqa: F403
from shared.commands.conversation import CONVERSATION_COMMANDS
from shared.commands.matter import *  # noqa: F403
from shared.commands.matter import MATTER_COMMANDS
from shared.commands.messages import *  # noqa: F403
from shared.commands.messages import MESSAGE_COMMANDS
from shared.commands.parking import *  # noqa: F403
from shared.commands.parking import PARKING_COMMANDS
from shared.commands.people import *  # noqa: F403
from shared.commands.people import PEOPLE_COMMANDS
from shared.commands.reviews import *  # noqa: F403
from shared.commands.reviews import REVIEW_COMMANDS
from shared.commands.transfers import *  # noqa: F403
from shared.commands.transfers import TRANSFER_COMMANDS
from shared.replies import *  # noqa: F403  a command and its reply are one contract

COMMANDS: dict[str, type[Command]] = {
    kind.verb: kind
    for kind in (
        *PEOPLE_COMMANDS,
        *AGENT_COMMANDS,
        *CONTACT_COMMANDS,
        *ANNOUNCEMENT_COMMANDS,
        *MATTER_COMMANDS,
        *TRANSFER_COMMANDS,
        *MESSAGE_COMMANDS,
        *CONVERSATION_COMMANDS,
        *REVIEW_COMMANDS,
        *PARKING_COMMANDS,
    )
}
"""Every command by the last token of its subject."""
