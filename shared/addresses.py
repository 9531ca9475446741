"""Addresses of doors and of providers: whether one is only this machine's, how it is written, where it is reached."""

from ipaddress import ip_address
from urllib.parse import urlsplit, urlunsplit

ANY = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104  named, not bound
"""What binds every address of the machine, and the loopback address by which it is reached here."""


def http_url(host: str, port: int) -> str:
    """Return `http://host:port` of doors that bind `host`, as a program on this machine reaches them."""
    host = ANY.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_web_url(url: str) -> bool:
    """Tell whether a text is an address of the web: scheme, host and, if there is one, a port that can be."""
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def is_host(host: str) -> bool:
    """Tell whether a text can be the name or the address of a machine (RFC 1035, section 2.3.4)."""
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return host.isprintable() and " " not in host


def through(gateway: str, url: str) -> str:
    """Return where a request for a provider's `url` goes: `<gateway>/<host and path>`, or itself without a gateway."""
    if not gateway:
        return url
    parts = urlsplit(url)
    beyond = urlunsplit(("", "", parts.path, parts.query, ""))
    return f"{gateway.rstrip('/')}/{parts.netloc.rpartition('@')[2]}{beyond or '/'}"


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches a host; a name other than `localhost` counts as one that others reach."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
