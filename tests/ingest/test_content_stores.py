"""Stores of contents: what each of them is held to, in memory, in the stream FILES and in an S3-compatible server."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest
import pytest_asyncio
from msgspec.structs import replace

from services.ingest.domain.delivery import BodyReference
from services.ingest.handlers.chunks import CHUNK_BYTES, Chunks
from services.ingest.handlers.file_store import ContentStore
from services.ingest.handlers.s3 import S3Store
from shared import ensuring, errors, ids, streams, subjects
from shared.bus import connect
from tests.support.moto import Moto, moto
from tests.support.pieces import joined
from tests.support.servers import EmbeddedNats

LARGE = bytes(range(256)) * 3_000
OTHER_HASH = "0" * 64
_tenants = itertools.count(1)


@dataclass
class InMemory:
    """The twin."""

    held: dict[tuple[str, str], bytes] = field(default_factory=dict)

    async def put(self, tenant: str, content: bytes) -> BodyReference:
        """As the protocol says."""
        sha256 = ids.body_sha256(content)
        self.held[tenant, sha256] = content
        return BodyReference(sha256=sha256, size_bytes=len(content), chunks=1)

    async def pieces(self, tenant: str, ref: BodyReference) -> AsyncIterator[bytes]:
        """As the protocol says."""
        content = self.held.get((tenant, ref.sha256))
        if content is None:
            raise errors.BodyMissing
        if ids.body_sha256(content) != ref.sha256:
            raise errors.BodyDamaged
        yield content


@dataclass
class Tried:
    """A store, a tenant of its own, and how somebody damages what stands in it."""

    store: ContentStore
    damage: Callable[[BodyReference], Awaitable[object]]
    tenant: str


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server() -> AsyncIterator[Moto]:
    """One S3 server for these tests."""
    async with moto() as started:
        yield started


@pytest_asyncio.fixture(params=["memory", "stream", "s3"])
async def tried(
    request: pytest.FixtureRequest, ingest_nats: EmbeddedNats, server: Moto
) -> AsyncIterator[Tried]:
    """Each of the stores."""
    tenant = f"contents{next(_tenants)}"
    if request.param == "memory":
        memory = InMemory()

        async def forge(ref: BodyReference) -> None:
            memory.held[tenant, ref.sha256] = b"something else"

        yield Tried(memory, forge, tenant)
    elif request.param == "stream":
        bus = await connect(ingest_nats.url, "contents")
        await ensuring.ensure(bus, streams.WantedStreams(streams=streams.stream_configs()))
        chunks = Chunks(bus, streams.FILES, subjects.file, asyncio.to_thread)
        yield Tried(
            chunks,
            lambda ref: bus.store(subjects.file(tenant, ref.sha256, 0), b"something else"),
            tenant,
        )
        await bus.close()
    else:
        s3 = S3Store(server.address, 30.0)
        yield Tried(
            s3,
            lambda ref: server.object(f"{tenant}/{ref.sha256}", b"something else"),
            tenant,
        )
        await s3.aclose()


@pytest.mark.parametrize(
    "content", [b"", b"x", LARGE, bytes(CHUNK_BYTES)], ids=["empty", "small", "large", "even"]
)
async def test_what_is_stored_is_given_back(tried: Tried, content: bytes) -> None:
    """To the byte, by hash and size; stored again it is the same content."""
    ref = await tried.store.put(tried.tenant, content)
    assert (ref.sha256, ref.size_bytes) == (ids.body_sha256(content), len(content))
    assert await tried.store.put(tried.tenant, content) == ref
    assert await joined(tried.store.pieces(tried.tenant, ref)) == content


async def test_stored_by_many_at_once_it_stands_once(tried: Tried) -> None:
    """The same content from several messages, and others between them."""
    wanted = [LARGE, b"a", LARGE, b"b", LARGE]
    refs = await asyncio.gather(*(tried.store.put(tried.tenant, each) for each in wanted))
    found = await asyncio.gather(*(joined(tried.store.pieces(tried.tenant, each)) for each in refs))
    assert found == wanted


async def test_nobody_reads_another_tenants_content(tried: Tried) -> None:
    """Its hash alone opens nothing; nor does a hash that nobody stored."""
    ref = await tried.store.put(tried.tenant, b"a secret of this tenant")
    for tenant, wanted in (
        (f"{tried.tenant}x", ref),
        (tried.tenant, replace(ref, sha256=OTHER_HASH)),
    ):
        with pytest.raises(errors.BodyMissing):
            await joined(tried.store.pieces(tenant, wanted))


async def test_what_is_not_as_it_was_is_never_given(tried: Tried) -> None:
    """Somebody else's bytes under its hash are damage; stored again, it is whole."""
    ref = await tried.store.put(tried.tenant, b"a parcel and its label")
    await tried.damage(ref)
    with pytest.raises(errors.BodyDamaged):
        await joined(tried.store.pieces(tried.tenant, ref))
    await tried.store.put(tried.tenant, b"a parcel and its label")
    assert await joined(tried.store.pieces(tried.tenant, ref)) == b"a parcel and its label"


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"secret_key": "another-secret"}, "SignatureDoesNotMatch"),
        ({"access_key": "AKIANOBODY"}, "InvalidAccessKeyId"),
        ({"url": "/nobodys-bucket"}, "NoSuchBucket"),
    ],
)
async def test_a_store_that_refuses_says_why(
    server: Moto, other: dict[str, str], says: str
) -> None:
    """In its own word, at once, for both ways; and without the secret."""
    if "url" in other:
        other = {"url": server.url + other["url"]}
    store = S3Store(server.of(**other), 30.0)
    ref = BodyReference(sha256=OTHER_HASH, size_bytes=1, chunks=1)
    for call in (store.put("demo", b"x"), joined(store.pieces("demo", ref))):
        with pytest.raises(errors.FilesUnavailable) as refusal:
            await call
        assert refusal.value.details == {"reason": "refused", "says": says}
    assert server.address.secret_key not in repr(server.address)
    await store.aclose()
