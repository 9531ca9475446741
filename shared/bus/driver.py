"""The driver's subscriptions and errors, as the bus has them."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Iterator
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
    """Say that a connection stands for the first time: from here on the driver makes it again when it is lost.

    Errors come to us alone: FastStream's callback raises what some servers say, and the driver would try no more.
    """
    standing.on_end = client.close
    standing.on_error = partial(_end_half_open, client)
    client._error_cb = standing.report  # noqa: SLF001
    greet = partial(_greeted, client, standing.address, client._process_connect_init)  # noqa: SLF001
    client._process_connect_init = greet  # type: ignore[method-assign] # noqa: SLF001


async def _greeted(
    client: Client, address: BusAddress, greet: Callable[[], Awaitable[None]]
) -> None:
    """Exchange the first words with a server, believing whom the file names now. Raises: what ends this try alone.

    The driver (nats-py 2.16) tries no more, and says nothing, after an error that it did not foresee: who stands at
    the address may say whatever there is.
    """
    if address.ca_file:
        with contextlib.suppress(
            errors.SettingInvalid
        ):  # it may just be written: who was believed still is
            client.options["tls"] = address.tls()
    try:
        await greet()
    except (nats.errors.Error, OSError, TimeoutError):
        raise
    except Exception as error:
        raise nats.errors.Error("nats: the first words of a server cannot be read") from error


def _end_half_open(client: Client) -> None:
    """End the connection of a try to connect again that failed: the driver (nats-py 2.16) makes the next beside it.

    At a server that stands still it would keep a socket open for each try, and who reads from it, flushes and pings.
    """
    if asyncio.current_task() is not client._reconnection_task:  # noqa: SLF001
        return
    for task in (client._reading_task, client._flusher_task, client._ping_interval_task):  # noqa: SLF001
        if task is not None:
            task.cancel()
    if client._transport is not None:  # noqa: SLF001
        client._transport.close()  # type: ignore[no-untyped-call] # noqa: SLF001


async def ended(ending: Coroutine[None, None, None], within_seconds: float) -> None:
    """Let the driver end something, however that comes out: while it tries to connect again it cancels itself."""
    doing = asyncio.create_task(ending)
    try:
        await asyncio.wait({doing}, timeout=within_seconds)
    finally:
        doing.cancel()
    if doing.done() and not doing.cancelled():
        doing.exception()


async def let_go(client: Client) -> None:
    """End what may be left of a driver that was closed while it tried to connect again."""
    trying = client._reconnection_task  # noqa: SLF001
    if trying is not None and not trying.done():
        trying.cancel()
        await asyncio.wait({trying}, timeout=1.0)
    if client._transport is not None:  # noqa: SLF001
        client._transport.close()  # type: ignore[no-untyped-call] # noqa: SLF001


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
