"""The message bus: one connection to NATS. `client` alone imports its driver."""

from shared.bus.client import Bus, connect, connection_options, first_connection, is_inbox

__all__ = ["Bus", "connect", "connection_options", "first_connection", "is_inbox"]
