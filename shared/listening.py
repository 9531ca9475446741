"""Sockets that listen: bound before anything is served, so that a taken port is told at the start."""

import socket

from shared import addresses, errors


def bound_socket(host: str, port: int, settings: str) -> socket.socket:
    """Return a listening socket's address taken; port 0 takes a free one.

    `host`: an address or a name of this machine; empty for all addresses; `settings`: the variables that say both.
    Raises: SettingInvalid where it cannot be.
    """
    try:
        families = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, kind, protocol, _, name = families[0]
        bound = socket.socket(family, kind, protocol)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(name)
        except OSError:
            bound.close()
            raise
    except OSError as error:
        raise errors.SettingInvalid(
            f"{settings} cannot be bound: {error.strerror}", host=host, port=port
        ) from error
    return bound


def address(bound: socket.socket) -> str:
    """Return `http://host:port` of a bound socket, as this machine reaches it."""
    host, port = bound.getsockname()[:2]
    return addresses.http_url(host, port)
