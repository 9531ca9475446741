"""Customers' files in an S3-compatible store: one object per content, `<prefix>/<tenant>/<sha256>` (docs/adr/0052).

Addressed by path, signed by AWS Signature Version 4 over the content's own hash. Error codes and statuses: Amazon S3's
API reference, "Error responses", from memory (2026-11); tests try them against moto, which checks signatures by
botocore.
"""

import asyncio
import contextlib
import hashlib
import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass, field

import httpcore
from aws_request_signer import AwsRequestSigner  # type: ignore[import-untyped]

from services.ingest.domain.delivery import BodyReference
from shared import VERSION, backoff, errors, ids
from shared.secret_values import FILES_ACCESS_KEY, FILES_SECRET_KEY
from shared.settings import Settings

TRIES = 4
RETRY = backoff.Backoff(first_seconds=0.2, longest_seconds=2.0)
"""A store that is busy (503 SlowDown) is asked again more slowly; after about three seconds it is away."""
STEP_SECONDS = 20.0
"""Longest wait for a connection, and for the next piece."""
CONNECTIONS = 8
BUSY = frozenset({408, 425, 429})
PASSING = frozenset({"busy", "unreachable"})
REFUSAL_MAX_BYTES = 16_384

_CODE = re.compile(rb"<Code>([A-Za-z0-9.]{1,64})</Code>")
_FAILURES = (
    httpcore.NetworkError,
    httpcore.TimeoutException,
    httpcore.ProtocolError,
    httpcore.ConnectionNotAvailable,
    OSError,  # TimeoutError is one
)


@dataclass(frozen=True, slots=True)
class S3Address:
    """`url`: of the bucket, and of a prefix in it, without a slash at its end."""

    url: str
    region: str
    access_key: str
    secret_key: str = field(repr=False)


class S3Store:
    """Contents under their hash. `timeout_seconds`: of one try to store a content."""

    def __init__(self, address: S3Address, timeout_seconds: float) -> None:
        self._url = address.url
        self._timeout_seconds = timeout_seconds
        self._signer = AwsRequestSigner(
            address.region, address.access_key, address.secret_key, "s3"
        )
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl.create_default_context(), max_connections=CONNECTIONS
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._pool.aclose()

    async def put(self, tenant: str, content: bytes) -> BodyReference:
        """Store a content. Raises: FilesUnavailable; it may be stored then."""
        sha256 = await asyncio.to_thread(ids.body_sha256, content)
        for tries in range(1, TRIES + 1):
            try:
                async with asyncio.timeout(self._timeout_seconds):
                    await self._put(f"{self._url}/{tenant}/{sha256}", content, sha256)
                break
            except (errors.FilesUnavailable, *_FAILURES) as error:
                await _pause_or_raise(error, tries)
        return BodyReference(sha256=sha256, size_bytes=len(content), chunks=1)

    async def _put(self, url: str, content: bytes, sha256: str) -> None:
        sent = {"content-length": str(len(content)), "content-type": "application/octet-stream"}
        async with self._asked("PUT", url, sent, sha256, content) as response:
            if response.status not in {200, 201, 204}:
                await _refuse(response)
            await response.aread()

    async def pieces(self, tenant: str, ref: BodyReference) -> AsyncIterator[bytes]:
        """Give a content piece by piece; the last one when all have the hash, so that what is damaged never ends.

        Raises: BodyMissing, BodyDamaged, FilesUnavailable.
        """
        digest, held = hashlib.sha256(), b""
        async for piece in self._pieces(f"{self._url}/{tenant}/{ref.sha256}", ref.size_bytes):
            digest.update(piece)
            if held:
                yield held
            held = piece
        if digest.hexdigest() != ref.sha256:
            raise errors.BodyDamaged
        yield held

    async def _pieces(self, url: str, size: int) -> AsyncIterator[bytes]:
        """Give what an object holds; a connection that is lost on the way is followed by one that goes on."""
        got, tries = 0, 0
        while True:
            try:
                async with contextlib.aclosing(self._from(url, got)) as rest:
                    async for piece in rest:
                        got += len(piece)
                        if got > size:
                            raise errors.BodyDamaged
                        yield piece
            except (errors.FilesUnavailable, *_FAILURES) as error:
                if got == size:  # all of it came, but for the end of the answer
                    return
                tries += 1
                await _pause_or_raise(error, tries)
            else:
                return

    async def _from(self, url: str, first: int) -> AsyncGenerator[bytes, None]:
        """Give an object from a byte on; where a store gives all of it nonetheless, what comes before is left out.

        Raises: BodyMissing, FilesUnavailable, what the connection raises.
        """
        asked = {"range": f"bytes={first}-"} if first else {}
        async with self._asked("GET", url, asked) as response:
            if response.status not in ({200, 206} if first else {200}):
                await _refuse(response)
            before = first if response.status == 200 else 0
            async for piece in response.aiter_stream():
                rest, before = piece[before:], max(0, before - len(piece))
                if rest:
                    yield rest

    @contextlib.asynccontextmanager
    async def _asked(
        self,
        method: str,
        url: str,
        fields: Mapping[str, str],
        sha256: str | None = None,
        content: bytes | None = None,
    ) -> AsyncIterator[httpcore.Response]:
        signed = self._signer.sign_with_headers(method, url, fields, sha256)
        headers = {"user-agent": f"tellonce/{VERSION}", "accept-encoding": "identity"}
        timeout = dict.fromkeys(("connect", "read", "write", "pool"), STEP_SECONDS)
        async with self._pool.stream(
            method,
            url,
            headers=[*headers.items(), *fields.items(), *signed.items()],
            content=content,
            extensions={"timeout": timeout},
        ) as response:
            yield response


async def _pause_or_raise(error: Exception, tries: int) -> None:
    """Wait before the next try. Raises: FilesUnavailable when it would be vain, or was the last."""
    if not isinstance(error, errors.FilesUnavailable):
        found = errors.FilesUnavailable(reason="unreachable", says=type(error).__name__)
        found.__cause__ = error
        error = found
    if error.details["reason"] not in PASSING or tries >= TRIES:
        raise error
    await RETRY.pause(tries)


async def _refuse(response: httpcore.Response) -> None:
    """Raises: BodyMissing for an object that is not there, else FilesUnavailable with the store's own word."""
    said = bytearray()
    async for piece in response.aiter_stream():
        said += piece
        if len(said) > REFUSAL_MAX_BYTES:
            break
    code = _CODE.search(said)
    says = code[1].decode() if code else f"http_{response.status}"
    if says == "NoSuchKey":
        raise errors.BodyMissing
    busy = response.status in BUSY or response.status >= 500
    raise errors.FilesUnavailable(reason="busy" if busy else "refused", says=says)


@contextlib.asynccontextmanager
async def opened(settings: Settings, secrets: Mapping[str, str]) -> AsyncIterator[S3Store | None]:
    """Give the store that the settings name, if they do. Raises: SettingInvalid without its two secrets."""
    if not settings.files_url:
        yield None
        return
    lacking = [each for each in (FILES_ACCESS_KEY, FILES_SECRET_KEY) if not secrets.get(each)]
    if lacking:
        raise errors.SettingInvalid(
            f"TELLONCE_FILES_URL needs secrets that are nowhere: {', '.join(lacking)}"
        )
    url = settings.files_url.removeprefix("s3+").rstrip("/")
    address = S3Address(
        url, settings.files_region, secrets[FILES_ACCESS_KEY], secrets[FILES_SECRET_KEY]
    )
    async with contextlib.aclosing(S3Store(address, settings.attachment_timeout_seconds)) as store:
        yield store
