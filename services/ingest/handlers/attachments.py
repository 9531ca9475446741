"""Fetches the files of messages: a consumer of CONTACTS of its own, beside normalising and never within it.

Each file is stored before its event says so, and the event is stored before the message is acknowledged: killed
anywhere in between, it goes on from what is stored. What fails and may be had later is asked for again.
"""

import asyncio
import contextlib

import structlog

from services.ingest.domain import attachments
from services.ingest.domain.attachments import Attachment
from services.ingest.domain.fetching import Unfetchable
from services.ingest.handlers import logged
from services.ingest.handlers.fetcher import Fetcher, MessageFiles
from services.ingest.handlers.file_store import FileStore
from shared import codec, contact_log, ensuring, errors, events, metrics, streams, tasks
from shared.bus import Bus
from shared.bus.deliveries import Delivery
from shared.clock import Clock
from shared.readiness import Trouble
from shared.worker import InHand

AT_ONCE = 4
"""Messages whose files are fetched at once; each holds one file in memory."""
BATCH = 64
TROUBLE_SECONDS = 1.0
RETRY_AFTER_SECONDS = (2.0, 10.0, 60.0, 300.0, 900.0, 1_800.0)
"""When a file is asked for again. Then it is given up, 51 minutes after its message: addresses are good for an hour."""

log = structlog.get_logger("ingest")


class Attachments:
    """Fetches the files of a tenant's messages."""

    def __init__(
        self,
        bus: Bus,
        tenant: str,
        store: FileStore,
        fetcher: Fetcher,
        contacts: contact_log.ContactLog,
        clock: Clock,
    ) -> None:
        self._bus = bus
        self._tenant = tenant
        self._store = store
        self._fetcher = fetcher
        self._contacts = contacts
        self._clock = clock
        self._slots = asyncio.Semaphore(AT_ONCE)
        self.trouble: Trouble | None = None

    async def run(self) -> None:
        """Take messages for ever; what keeps it from them is its trouble. Raises: BusUnavailable when closed."""
        while True:
            try:
                await self._follow()
            except Exception as error:
                if self._bus.closed:
                    raise
                self._say(error)
            await asyncio.sleep(TROUBLE_SECONDS)

    async def _follow(self) -> None:
        """Raises: StreamDrift while the consumer is missing or another than it must be."""
        consumer = streams.ingest_attachments(self._tenant)
        await ensuring.assert_streams(self._bus, streams.WantedStreams(consumers=[consumer]))
        self.trouble = None
        in_hand, fetching = InHand(BATCH, 2 * BATCH), set[asyncio.Task[None]]()
        pulled = self._bus.pull(streams.CONTACTS, consumer.name, batch=BATCH, room=in_hand.room)
        async with in_hand.reported():
            try:
                async for batch in pulled:
                    for delivery in batch:
                        await self._begin(delivery, in_hand, fetching)
            finally:
                await tasks.end(fetching)

    async def _begin(
        self, delivery: Delivery, in_hand: InHand, fetching: set[asyncio.Task[None]]
    ) -> None:
        """Have the files of a message fetched as soon as there is a slot."""
        found = files_of(delivery)
        if not found:
            await _settle(delivery, None)
        elif in_hand.take(delivery):
            task = asyncio.create_task(self._take(delivery, found, in_hand))
            fetching.add(task)
            task.add_done_callback(fetching.discard)

    def _say(self, error: Exception) -> None:
        code = error.code if isinstance(error, errors.TellonceError) else type(error).__name__
        if self.trouble is None or self.trouble.code != code:
            log.error(logged.ATTACHMENTS_HALTED, code=code, exc_info=error)
        self.trouble = Trouble(code=code, about=f"{self._tenant}/attachments")

    async def _take(self, delivery: Delivery, found: list[Attachment], in_hand: InHand) -> None:
        async with self._slots:
            try:
                delay_seconds = await self.take(delivery, found)
            except errors.TellonceError as error:  # what is stored by then is not fetched again
                log.warning(logged.ATTACHMENT_DELAYED, code=error.code, sequence=delivery.sequence)
                delay_seconds = RETRY_AFTER_SECONDS[0]
            except Exception:
                log.exception(logged.ATTACHMENT_DELAYED, sequence=delivery.sequence)
                delay_seconds = RETRY_AFTER_SECONDS[2]
            await _settle(in_hand.release(delivery), delay_seconds)

    async def take(self, delivery: Delivery, found: list[Attachment]) -> float | None:
        """Fetch the files of a message; return after how many seconds to try again, `None` when all is said.

        Raises: BusUnavailable, JetStreamRefused.
        """
        tries, again = delivery.attempt, None
        files = self._fetcher.of(found[0].message)
        for each in found:
            event: events.AttachmentEvent | None
            try:
                event = await self._outcome(each, files, delivery)
            except Unfetchable as error:
                if error.passing and tries <= len(RETRY_AFTER_SECONDS):
                    again = RETRY_AFTER_SECONDS[tries - 1]
                    _log(each, "delayed", reason=error.reason)
                    continue
                event = attachments.failed_event(each, error.reason, self._clock.now())
                _log(each, "failed", reason=error.reason)
            if event is not None:
                await self._contacts.publish_beside(delivery.subject, event)
        return again

    async def _outcome(
        self, attachment: Attachment, files: MessageFiles, delivery: Delivery
    ) -> events.AttachmentStored | None:
        """Return that the file is stored; `None` when it is said what became of it. Raises: Unfetchable, as `take`."""
        for kind in (events.AttachmentStored, events.AttachmentFailed):
            said = attachments.event_id(attachment, kind)
            if await self._contacts.stands_beside(delivery.subject, said):
                return None
        stored = await self._store.find(self._tenant, attachment.attachment_id)
        if stored is None:
            content, media_type = await files.fetch(attachment)
            stored = await self._store.put(attachment, content, media_type)
            _log(attachment, "stored", size_bytes=stored.content.size_bytes)
        return attachments.stored_event(attachment, stored)


def files_of(delivery: Delivery) -> list[Attachment]:
    """Return the files that came with what was delivered; none with what is no event that we know."""
    try:
        return list(attachments.attachments_of(codec.decode(delivery.body)))
    except (errors.NotAnEvent, errors.EventTypeUnknown):
        return []


async def _settle(delivery: Delivery, again_seconds: float | None) -> None:
    with contextlib.suppress(errors.BusUnavailable):  # it is given again
        if again_seconds is None:
            await delivery.ack()
        else:
            await delivery.nak(again_seconds)


def _log(attachment: Attachment, result: str, **facts: object) -> None:
    said = attachment.message.open
    metrics.FILES.add(attachment.message.tenant, result)
    log.info(
        logged.ATTACHMENT_FETCHED,
        tenant=attachment.message.tenant,
        channel=said.channel,
        account=said.account,
        attachment=attachment.attachment_id,
        result=result,
        **facts,
    )
