"""Free loopback ports, outside the range the kernel hands to outgoing connections.

A port from that range could be taken by any client while its server is down, and the server could not come back to it.
"""

import random
import socket

from deploy.embedded.errors import NoFreePort

LOOPBACK = "127.0.0.1"
LOWEST_PORT = 20_000
HIGHEST_PORT = 32_000
MAX_TRIES = 500

_claims: dict[int, int] = {}
"""Ports of ours, each with the descriptor of its claim."""


def port_is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen on this port of an address of this machine now."""
    try:
        family, kind, _, _, name = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(name)
    except OSError:
        return False
    return True


def claim(port: int) -> bool:
    """Take a free port for this process until the process ends; return False if the port is not free or is claimed.

    A server listens seconds after its port was chosen, and until then another stack would find the port free too.
    The UDP port of the same number, which no server of ours needs, tells it whose the port is.
    """
    if not port_is_free(port):
        return False
    if port not in _claims:
        twin = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            twin.bind((LOOPBACK, port))
        except OSError:
            twin.close()
            return False
        _claims[port] = twin.detach()
    return True


def free_ports(count: int) -> list[int]:
    """`count` different free ports, claimed for this process.

    Raises: NoFreePort after MAX_TRIES tries.
    """
    chosen: list[int] = []
    source = random.SystemRandom()
    for _ in range(MAX_TRIES):
        if len(chosen) == count:
            return chosen
        port = source.randrange(LOWEST_PORT, HIGHEST_PORT)
        if port not in _claims and claim(port):
            chosen.append(port)
    raise NoFreePort(lowest=LOWEST_PORT, highest=HIGHEST_PORT)
