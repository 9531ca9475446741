"""The agents' screens, over a real NATS: who sees what, and what a server that is gone means."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.notify.domain.notices import Notice
from services.notify.transports.screen import Screen
from shared.bus import Bus, connect
from shared.bus.deliveries import Message
from shared.errors import BusUnavailable
from shared.events import ConversationId, NotificationId
from shared.policies import Policies
from shared.settings import Settings
from tests.notify.samples import TENANT
from tests.support.servers import EmbeddedNats
from tests.support.waiting import eventually

NOTICE = Notice(
    notification_id=NotificationId("n1"),
    reason="new_request",
    conversation=ConversationId("c1"),
    about="e1",
    recipient="queue-hotline",
)


@pytest.fixture
async def nats(tmp_path: Path) -> AsyncIterator[EmbeddedNats]:
    server = EmbeddedNats(tmp_path)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def bus(nats: EmbeddedNats) -> AsyncIterator[Bus]:
    bus = await connect(nats.url, "test")
    yield bus
    await bus.close()


async def test_a_notice_is_shown_to_whoever_is_told_now(bus: Bus) -> None:
    """First to the recipient, after an escalation to the next person and to nobody else; the body is the wire's."""
    seen: list[tuple[str, dict[str, Any]]] = []

    async def shown(message: Message) -> None:
        seen.append((message.subject, msgspec.json.decode(message.body)))

    async def both() -> bool:
        return len(seen) == 2

    await bus.subscribe("screen.>", shown)
    screen = Screen(bus, Settings(), Policies())
    await screen.send(TENANT, NOTICE)
    await screen.send(TENANT, msgspec.structs.replace(NOTICE, escalated="agent-ewa"))
    await eventually(both)
    body = {
        "notification_id": "n1",
        "reason": "new_request",
        "conversation": "c1",
        "about": "e1",
        "recipient": "queue-hotline",
    }
    assert seen == [
        (f"screen.{TENANT}.queue-hotline", body),
        (f"screen.{TENANT}.agent-ewa", body | {"escalated": "agent-ewa"}),
    ]


async def test_a_server_that_is_gone_is_told(nats: EmbeddedNats, bus: Bus) -> None:
    """Then nothing at all can be told: the event is handled again, instead of counting as shown."""
    await nats.kill()
    with pytest.raises(BusUnavailable):
        await Screen(bus, Settings(), Policies()).send(TENANT, NOTICE)
