"""The address of a file: who has it is given the file for some minutes, and nobody else is given anything."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from services.ingest.domain import file_address
from shared import ids, queries, query_client, streams, subjects
from shared.errors import AttachmentUnknown, PositionBeyondEnd, ViewUnavailable
from tests.ingest.large_mails import PHOTO, mail_of
from tests.ingest.running_ingest import RunningIngest, stored, until
from tests.ingest.test_doors import refused

KEY, NOW = file_address.key_of("a-lookup-key"), datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
SOON = NOW + timedelta(minutes=5)


async def attachment_of_a_mail(ingest: RunningIngest) -> str:
    """The id of a photograph that came by mail."""
    assert (await ingest.send("email", mail_of(PHOTO), webhook_id="w1")).status_code == 204

    async def look() -> str | None:
        found = await stored(ingest.bus, streams.FILES, f"attachment.{ingest.tenant}.*")
        return found[0].subject.rpartition(".")[2] if found else None

    return await until(look)


async def address_of(ingest: RunningIngest, attachment_id: str) -> queries.AttachmentAddress:
    """What the query answers."""
    asked = queries.AskAttachment(attachment_id=attachment_id)
    return await query_client.ask(ingest.bus, ingest.tenant, asked, timeout_seconds=10.0)


async def test_the_query_gives_an_address_that_serves_the_file(ingest: RunningIngest) -> None:
    """The bytes as they came; a browser saves them, runs nothing and keeps no copy."""
    answer = await address_of(ingest, await attachment_of_a_mail(ingest))
    assert (answer.name, answer.media_type) == ("photo.jpg", "image/jpeg")
    assert (answer.sha256, answer.size_bytes) == (ids.body_sha256(PHOTO), len(PHOTO))
    assert "photo" not in answer.url
    assert answer.sha256 not in answer.url
    given = await ingest.http.get(answer.url)
    assert (given.status_code, given.content) == (200, PHOTO)
    told = given.headers
    assert told["content-type"] == "image/jpeg"
    assert told["content-disposition"] == "attachment; filename*=UTF-8''photo.jpg"
    assert told["x-content-type-options"] == "nosniff"
    assert told["content-security-policy"] == "default-src 'none'; sandbox"
    assert told["cache-control"] == "private, no-store"


async def test_an_address_that_was_changed_opens_nothing(ingest: RunningIngest) -> None:
    """Another file, a later end, another signature, none: all are one refusal."""
    url = (await address_of(ingest, await attachment_of_a_mail(ingest))).url
    base, _, ticket = url.rpartition("/")
    name, seconds, signature = ticket.split(".")
    for wrong in (
        f"{ids.scoped_id('another')}.{seconds}.{signature}",
        f"{name}.{int(seconds) + 60}.{signature}",
        f"{name}.{seconds}.{signature[::-1]}",
        f"{name}.{seconds}",
        name,
        f"{name}.x.{signature}",
    ):
        assert refused(await ingest.http.get(f"{base}/{wrong}"), 404, "attachment.unknown"), wrong
    elsewhere = url.replace(ingest.tenant, "demo")
    assert refused(await ingest.http.get(elsewhere), 404, "attachment.unknown")
    assert (await ingest.http.get(url)).status_code == 200


async def test_a_file_that_is_not_as_it_was_is_not_served(ingest: RunningIngest) -> None:
    """Whoever asks is told so, and given none of it."""
    url = (await address_of(ingest, await attachment_of_a_mail(ingest))).url
    chunk = subjects.file(ingest.tenant, ids.body_sha256(PHOTO), 1)
    await ingest.bus.store(chunk, b"something else")
    assert refused(await ingest.http.get(url), 410, "attachment.lost")
    await ingest.bus.api(f"STREAM.PURGE.{streams.FILES}", {"filter": chunk})
    assert refused(await ingest.http.get(url), 410, "attachment.lost")


async def test_only_a_stored_file_has_an_address(ingest: RunningIngest) -> None:
    """An id that nobody has, one that is no name in a subject, and a position that is not there yet."""
    for asked, code in (
        (queries.AskAttachment(attachment_id=ids.scoped_id("nobody")), AttachmentUnknown.code),
        (queries.AskAttachment(attachment_id="A.B"), AttachmentUnknown.code),
        (queries.AskAttachment(attachment_id="x", min_seq=10**9), PositionBeyondEnd.code),
    ):
        with pytest.raises(ViewUnavailable) as refusal:
            await query_client.ask(ingest.bus, ingest.tenant, asked, timeout_seconds=10.0)
        assert refusal.value.details["cause"] == code


def test_an_address_ends_at_its_time() -> None:
    """Good until the instant, then no longer; and under no other tenant's key."""
    path = file_address.path_of(KEY, "demo", "abc", SOON)
    ticket = path.rpartition("/")[2]
    assert path == f"/files/demo/{ticket}"
    assert file_address.attachment_in(KEY, "demo", ticket, SOON - timedelta(seconds=1)) == "abc"
    assert file_address.attachment_in(KEY, "demo", ticket, SOON) is None
    assert file_address.attachment_in(KEY, "shop", ticket, NOW) is None
    assert file_address.attachment_in(file_address.key_of("x"), "demo", ticket, NOW) is None


@pytest.mark.parametrize(
    ("name", "saved"),
    [
        ("lampka żółta.jpg", "lampka%20%C5%BC%C3%B3%C5%82ta.jpg"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ('a"\r\nset-cookie: x', "a___set-cookie%3A%20x"),
        (" . ", "file"),
        (None, "file"),
    ],
)
def test_a_name_is_no_path_and_no_header(name: str | None, saved: str) -> None:
    """Whatever a customer calls her file, it is saved where files are saved."""
    header = file_address.disposition(name)
    assert header == f"attachment; filename*=UTF-8''{saved}"
    assert httpx.Headers({"content-disposition": header})["content-disposition"] == header
