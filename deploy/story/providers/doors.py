"""Sends deliveries to ingest's doors, as providers do."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec

from deploy.story.errors import StepFailed
from deploy.story.providers import Provider
from shared.policy import Account

DELIVERY_SECONDS = 30.0
REQUEST_SECONDS = 10.0
PAUSE_SECONDS = 0.1
TRY_AGAIN = frozenset({408, 429, 502, 503, 504})
"""What a provider answers by delivering once more."""
KEY_IN_BODY = b"{{signing}}"
"""Where the key stands in the bodies of a provider that proves itself there; without one nothing stands there."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back from a door or a command. `status`: HTTP's, or 200 and 400 for a command or a chat frame."""

    status: int
    text: str
    code: str | None
    content: dict[str, Any]

    @property
    def refused(self) -> bool:
        return self.code is not None or not 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Door:
    """Where deliveries to an account go. `public_url`: the address as its provider knows it, which signatures cover."""

    url: str
    public_url: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request, made once and sent as often as needed, byte for byte."""

    url: str
    headers: dict[str, str]
    body: bytes


def door_of(address: str, public_url: str, tenant: str, account: str) -> Door:
    """Return the door of an account. `address`: where ingest listens; `public_url`: the setting, empty for none."""
    path = f"/in/{tenant}/{account}"
    return Door(address + path, (public_url or address).rstrip("/") + path)


def secret_of(account: Account | None, secrets: Mapping[str, str]) -> str:
    """Return the key with which the provider of an account signs; empty for an account that has none."""
    name = account.secrets.get("signing") if account is not None else None
    return secrets.get(name or "", "")


def make_delivery(
    provider: Provider, door: Door, content: Any, key: str | None, headers: Mapping[str, str]
) -> Delivery:
    """Return the request that a provider makes of `content`; bytes are sent as they stand.

    `key`: what it signs with, `None` for no signature. `headers`: win over its own.
    Raises: PayloadUnreadable.
    """
    body = content if isinstance(content, bytes) else provider.body(content)
    body = body.replace(KEY_IN_BODY, (key or "").encode())
    signed = {} if key is None else provider.sign(key, door.public_url, body, headers)
    return Delivery(door.url, {"content-type": provider.MEDIA_TYPE, **signed, **headers}, body)


async def deliver(delivery: Delivery) -> Answer:
    """Send a delivery until the door answers with something else than "later", as providers do.

    Raises: StepFailed (`step.door_unreachable`).
    """
    return await _answered(
        lambda client: client.post(delivery.url, headers=delivery.headers, content=delivery.body)
    )


async def read(url: str) -> Answer:
    """Read an address, as a browser does. Raises: StepFailed (`step.door_unreachable`)."""
    return await _answered(lambda client: client.get(url))


async def _answered(
    request: Callable[[httpx.AsyncClient], Awaitable[httpx.Response]],
) -> Answer:
    """Ask until the door answers with something else than "later". Raises: StepFailed (`step.door_unreachable`)."""
    deadline = time.monotonic() + DELIVERY_SECONDS
    async with httpx.AsyncClient(timeout=REQUEST_SECONDS, trust_env=False) as client:
        while True:
            try:
                response = await request(client)
                if response.status_code not in TRY_AGAIN:
                    return _answer(response)
                last = f"status {response.status_code}"
            except httpx.TransportError as error:
                last = type(error).__name__
            if time.monotonic() > deadline:
                raise StepFailed("step.door_unreachable", "the door does not answer", got=last)
            await asyncio.sleep(PAUSE_SECONDS)


def _answer(response: httpx.Response) -> Answer:
    try:
        content = msgspec.json.decode(response.content) if response.content else {}
    except msgspec.DecodeError:
        content = {}
    content = content if isinstance(content, dict) else {}
    refused = response.status_code >= 400
    code = str(content.get("code", "door.refused")) if refused else None
    return Answer(response.status_code, response.text, code, content)
