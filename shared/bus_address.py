"""Where the bus is, as whom to speak there, and how a connection that no driver makes is introduced.

Sources: docs.nats.io "Client protocol" (INFO and CONNECT, TLS begins between them), "NKeys".
"""

import asyncio
import secrets
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from shared import errors, nkey

LINE_MAX_BYTES = 256 * 1024
INBOX_TOKEN_BYTES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class BusAddress:
    """`url`: of one server, or of several, joined by commas.

    `seed_file`: of the nkey with which we say who we are; empty: as whoever the address names, or nobody.
    `ca_file`: the certificates of who vouches for the servers; empty: those that the system believes.
    """

    url: str
    seed_file: str = ""
    ca_file: str = ""

    @classmethod
    def of(cls, address: "BusAddress | str | Sequence[str]") -> "BusAddress":
        """Return an address as one; a plain one, or several, is of servers that ask nobody who he is."""
        if isinstance(address, BusAddress):
            return address
        return cls(url=address if isinstance(address, str) else ",".join(address))

    @property
    def servers(self) -> list[str]:
        """The address of each server."""
        return self.url.split(",")

    def key(self) -> nkey.Nkey | None:
        """Return who we are, by what the file holds now. Raises: SettingInvalid."""
        return nkey.read(self.seed_file) if self.seed_file else None

    def tls(self) -> ssl.SSLContext:
        """Return whose certificates are believed. Raises: SettingInvalid."""
        try:
            return ssl.create_default_context(cafile=self.ca_file or None)
        except (OSError, ssl.SSLError) as error:
            raise errors.SettingInvalid(
                "the file with the certificates that the bus is believed by cannot be read",
                reason=error.strerror,
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One server, and as whom its address says to speak to it."""

    host: str
    port: int
    user: str | None = None
    password: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A connection after its introduction. `said`: what the server said of itself; `inbox`: a prefix of our own."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    said: Mapping[str, Any]
    inbox: str

    def new_inbox(self) -> str:
        """Return a subject that nobody else listens on."""
        return f"{self.inbox}.{secrets.token_hex(INBOX_TOKEN_BYTES)}"


async def opened(endpoint: Endpoint, address: BusAddress, name: str) -> Line:
    """Connect and say who we are; whether that is believed shows the next answer.

    Raises: OSError (also a certificate that is not believed), EOFError, ValueError for what is no NATS server,
    SettingInvalid.
    """
    reader, writer = await asyncio.open_connection(
        endpoint.host, endpoint.port, limit=LINE_MAX_BYTES
    )
    try:
        greeting = await reader.readuntil(b"\r\n")
        said: dict[str, Any] = msgspec.json.decode(greeting.removeprefix(b"INFO "))
        if said.get("tls_required"):
            await writer.start_tls(address.tls(), server_hostname=endpoint.host)
        key = address.key()
        hello = _introduction(endpoint, key, name, str(said.get("nonce", "")))
        writer.write(b"CONNECT %s\r\n" % msgspec.json.encode(hello))
    except BaseException:
        writer.close()
        raise
    return Line(reader, writer, said, nkey.inbox_of(key.public) if key else nkey.INBOX)


def _introduction(
    endpoint: Endpoint, key: nkey.Nkey | None, name: str, nonce: str
) -> dict[str, Any]:
    """Return what the driver would say of itself with this address."""
    hello = {"verbose": False, "pedantic": False, "headers": True, "no_responders": True}
    told: dict[str, Any] = {**hello, "lang": "python", "version": "0", "name": name}
    if key is not None:
        return {**told, "nkey": key.public, "sig": key.sign(nonce)}
    if endpoint.user and endpoint.password is not None:
        return {**told, "user": endpoint.user, "pass": endpoint.password}
    return {**told, "auth_token": endpoint.user} if endpoint.user else told
