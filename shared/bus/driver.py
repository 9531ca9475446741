"""The driver's subscriptions and errors, as the bus has them."""

import contextlib
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as Subscribed

from shared import errors
from shared.bus.connection import Standing
from shared.bus.deliveries import Message, Sender, Subscription
from shared.bus.receiving import Receiver
from shared.bus_address import BusAddress


def credentials(address: BusAddress) -> dict[str, Any]:
    """Return the options by which the driver says who we are, and whom it believes. Raises: SettingInvalid."""
    key = address.key()
    return {
        **({"nkeys_seed_str": key.seed} if key else {}),
        **({"tls": address.tls()} if address.ca_file else {}),
    }


def stands(client: Client, standing: Standing) -> None:
    """Say that a connection stands for the first time: from here on the driver makes it again when it is lost."""
    standing.on_end = client.close
    standing.on_error = partial(_close_half_open, client)


def _close_half_open(client: Client) -> None:
    """Close the socket of a try to connect again that failed: the driver (nats-py 2.16) makes the next beside it.

    At a server that stands still it would keep one open for each try.
    """
    transport = client._transport  # noqa: SLF001
    if transport is not None and (client.is_reconnecting or client.is_connecting):
        transport.close()  # type: ignore[no-untyped-call]


async def subscribe(
    client: Client,
    sender: Sender,
    subject: str,
    callback: Callable[[Message], Awaitable[None]],
    queue: str,
) -> Subscription:
    """See `Bus.subscribe`."""

    async def deliver(msg: Msg) -> None:
        await callback(Message(msg.subject, msg.data, msg.headers or {}, msg.reply, sender))

    with translated():
        subscribed = await client.subscribe(subject, queue=queue, cb=deliver)
    return Subscription(partial(_unsubscribe, subscribed))


async def noting(
    client: Client, sender: Sender, subject: str, note: Callable[[Message], None], queue: str
) -> Subscription:
    """See `Bus.noting`."""

    def take(subject: str, body: bytes, headers: dict[str, str], reply: str) -> None:
        note(Message(subject, body, headers, reply, sender))

    async def deliver(msg: Msg) -> None:
        take(msg.subject, msg.data, msg.headers or {}, msg.reply)

    with translated():
        subscribed = await client.subscribe(subject, queue=queue, cb=deliver)
    notes, sid = Receiver.of(client).notes, subscribed._id  # noqa: SLF001
    notes[sid] = take

    async def stop() -> None:
        notes.pop(sid, None)
        await _unsubscribe(subscribed)

    return Subscription(stop)


async def _unsubscribe(subscribed: Subscribed) -> None:
    with translated():
        await subscribed.unsubscribe()


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into ours."""
    try:
        yield
    except nats.errors.NoRespondersError as error:
        raise errors.NoResponders() from error
    except (nats.errors.TimeoutError, TimeoutError) as error:
        raise errors.TimedOut() from error
    except (nats.errors.Error, OSError) as error:
        raise errors.BusUnavailable() from error
