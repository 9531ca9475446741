"""The message bus: one connection to NATS. `client` alone imports its driver."""

from shared.bus.client import Bus, connect, first_connection, is_inbox

__all__ = ["Bus", "connect", "first_connection", "is_inbox"]
