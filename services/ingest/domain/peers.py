"""Who calls: the address by which strangers are counted."""

import functools
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

IPV6_PREFIX_BITS = 64
"""Everybody is given at least so much of IPv6: one who counts single addresses counts nobody twice."""

Networks = Sequence[IPv4Network | IPv6Network]


def peer_of(connected: str | None, forwarded: Sequence[str], trusted: Networks) -> str:
    """Return the address of the caller, a /64 for IPv6; empty when there is none.

    `connected`: who opened the connection; `forwarded`: what X-Forwarded-For says, in its order. A proxy appends
    the address that called it, so the list is read from its end, for as long as who wrote it is trusted.
    """
    caller = _address(connected or "")
    for said in reversed(forwarded):
        if caller is None or not any(caller in network for network in trusted):
            break
        caller = _address(said) or caller
    if isinstance(caller, IPv6Address):
        return str(IPv6Network((caller, IPV6_PREFIX_BITS), strict=False))
    return "" if caller is None else str(caller)


@functools.lru_cache(1_024)
def _address(text: str) -> IPv4Address | IPv6Address | None:
    """Read an address with or without a port, IPv4 also where it is mapped into IPv6."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
