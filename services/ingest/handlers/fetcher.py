"""Fetches the files of messages, from their provider or out of the delivery that brought the message."""

from collections.abc import Mapping, Sequence

from services.ingest.domain.attachments import Attachment, FilesMessage
from services.ingest.domain.delivery import RawDelivery
from services.ingest.domain.fetching import (
    Asking,
    FileAnswer,
    Unfetchable,
    WantedFile,
    check_kind,
    media_type_of,
    own_hosts,
)
from services.ingest.handlers import http_files
from services.ingest.handlers.accounts import Accounts, Door
from services.ingest.handlers.body_store import BodyStore
from services.ingest.handlers.fate_reader import raw_of
from services.ingest.sources import SOURCES, Source
from shared import errors, events, ids, streams, subjects
from shared.bus import Bus
from shared.settings import Settings


class Fetcher:
    """Fetches files within the settings' limits."""

    def __init__(self, bus: Bus, bodies: BodyStore, accounts: Accounts, settings: Settings) -> None:
        self._bus = bus
        self._bodies = bodies
        self._accounts = accounts
        self._max_bytes = settings.attachment_max_bytes
        self._refused = settings.attachment_refused.split()
        self._web = http_files.of(settings, self._max_bytes)

    def of(self, message: FilesMessage) -> "MessageFiles":
        """Return the files of one message."""
        return MessageFiles(self, message)

    async def fetch(
        self, attachment: Attachment, delivered: Mapping[str, bytes] | None
    ) -> tuple[bytes, str]:
        """Return a file and its media type. `delivered`: by hash, what its delivery holds.

        Raises: Unfetchable.
        """
        file = attachment.file
        check_kind(file, file.media_type.lower(), self._refused)
        if file.size_bytes is not None and file.size_bytes > self._max_bytes:
            raise Unfetchable("too_large")
        if delivered is None:
            got = await self._asked(attachment)
        elif file.sha256 is not None and file.sha256 in delivered:
            got = FileAnswer(delivered[file.sha256])
        else:
            raise Unfetchable("not_in_delivery")
        if len(got.body) > self._max_bytes:
            raise Unfetchable("too_large")
        media_type = media_type_of(file.media_type, got.media_type)
        check_kind(file, got.media_type or media_type, self._refused)
        return got.body, media_type

    async def _asked(self, attachment: Attachment) -> FileAnswer:
        """Return what the provider gives. Raises: Unfetchable."""
        source, door = self.source(attachment.message), self._door(attachment.message)
        wanted = WantedFile(attachment.file.source or "", door.rules, door.secrets)
        return await self._followed(source.fetch(wanted), [*source.HOSTS, *own_hosts(door.rules)])

    async def _followed(self, asking: Asking, hosts: Sequence[str]) -> FileAnswer:
        """Return the answer to the last of the requests. Raises: Unfetchable."""
        got: FileAnswer | None = None
        try:
            asked = next(asking)
            while True:
                got = await self._web.get(asked, hosts)
                asked = asking.send(got)
        except StopIteration:
            assert got is not None, "whoever asks for nothing says why"
            return got
        except ValueError as error:  # an address that is none
            raise Unfetchable("address_refused") from error

    def source(self, message: FilesMessage) -> Source:
        """Return where the files of a message are. Raises: Unfetchable when its channel has no files."""
        source = SOURCES.get(message.open.channel)
        if source is None:
            raise Unfetchable("no_source")
        return source

    def _door(self, message: FilesMessage) -> Door:
        """Raises: Unfetchable while the account is not in the policy."""
        try:
            return self._accounts.find(message.tenant, message.open.channel, message.open.account)
        except errors.AccountUnknown as error:
            raise Unfetchable("no_account", passing=True) from error

    async def delivered(self, message: FilesMessage) -> dict[str, bytes]:
        """Return by hash what the delivery of a message holds.

        Raises: Unfetchable, BusUnavailable, JetStreamRefused.
        """
        source, door = self.source(message), self._door(message)
        ref = events.RawRef.parse(message.raw or "0:")
        stored = await self._bus.leader_get(streams.RAW, sequence=ref.sequence)
        subject = subjects.raw(message.tenant, message.open.channel, message.open.account)
        if stored is None or stored.subject != subject:
            raise Unfetchable("delivery_gone")
        async with self._bodies.whole(raw_of(door, stored)) as raw:
            if raw.lost is not None or ids.body_sha256(raw.body) != ref.sha256:
                raise Unfetchable("delivery_gone")
            return await self._bodies.apart(_by_hash, source, raw)


class MessageFiles:
    """The files of one message; its delivery is read once."""

    def __init__(self, fetcher: Fetcher, message: FilesMessage) -> None:
        self._fetcher = fetcher
        self._message = message
        self._delivered: Mapping[str, bytes] | None = None

    async def fetch(self, attachment: Attachment) -> tuple[bytes, str]:
        """Return a file and its media type. Raises: as `Fetcher.fetch`, BusUnavailable, JetStreamRefused."""
        if attachment.file.source is not None:
            return await self._fetcher.fetch(attachment, None)
        if self._delivered is None:
            self._delivered = await self._fetcher.delivered(self._message)
        return await self._fetcher.fetch(attachment, self._delivered)


def _by_hash(source: Source, raw: RawDelivery) -> dict[str, bytes]:
    return {ids.body_sha256(each): each for each in source.contents(raw)}
