"""What became of a customer's file stands with the message that brought it, and asks for nothing."""

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from services.ingest.domain.attachments import (
    StoredFile,
    attachments_of,
    failed_event,
    stored_event,
)
from services.ingest.domain.delivery import BodyReference
from shared import packet as packets
from shared.conversation import Conversation
from shared.customer import UNKNOWN_CUSTOMER
from shared.events import (
    AttachedFile,
    AttachmentStored,
    CallRecorded,
    CallRecordedOpen,
    CallRecordedPersonal,
    Data,
    MessageReceived,
    PacketId,
)
from shared.events.packet import SaidFile
from tests.router.in_memory_router import InMemoryRouter
from tests.router.samples import NOON, call, message

SHA256 = "2f" * 32
LATER = NOON + timedelta(minutes=5)


def with_files(event: MessageReceived, *names: str) -> MessageReceived:
    """The message with files that its provider keeps."""
    assert event.personal is not None
    files = [AttachedFile(name=name, media_type="image/jpeg", source="id-1") for name in names]
    personal = replace(event.personal, files=files)
    return replace(event, data=replace(event.data, personal=personal))


def kept(event: MessageReceived, number: int = 0) -> AttachmentStored:
    """That a file of it is stored."""
    attachment = attachments_of(event)[number]
    content = BodyReference(sha256=SHA256, size_bytes=48_213, chunks=1)
    stored = StoredFile(
        content=content, media_type="image/jpeg", name=attachment.file.name, stored=LATER
    )
    return stored_event(attachment, stored)


def said(it: Conversation) -> list[Any]:
    """What a packet shows as said."""
    packet = packets.package(it, UNKNOWN_CUSTOMER, packet_id=PacketId("p"), policy_version="v")
    return packet.said


async def test_a_stored_file_stands_beside_the_words_it_came_with(router: InMemoryRouter) -> None:
    """It joins the conversation of its message, opens nothing, and the packet shows it where it was said."""
    wrote = with_files(message("my lamp is broken", "m1", channel="email"), "lamp.jpg")
    await router.happens(wrote, message("and the other one", "m2", channel="email", k=1))
    assert await router.happens(kept(wrote)) == ["attachment.stored"]
    (it,) = await router.conversations()
    first, second = said(it)
    assert (first.text, second.files) == ("my lamp is broken", [])
    assert first.files == [
        SaidFile(
            attachment_id=attachments_of(wrote)[0].attachment_id,
            name="lamp.jpg",
            media_type="image/jpeg",
            size_bytes=48_213,
            sha256=SHA256,
        )
    ]
    assert it.talk.unanswered == 2


async def test_a_lost_file_is_told_too(router: InMemoryRouter) -> None:
    """The next person knows that there was a picture, and why nobody sees it."""
    wrote = with_files(message("see both", "m1", channel="email"), "one.jpg", "two.jpg")
    await router.happens(wrote)
    gone = failed_event(attachments_of(wrote)[1], "gone", LATER)
    assert await router.happens(kept(wrote), gone) == ["attachment.stored", "attachment.failed"]
    (it,) = await router.conversations()
    (line,) = said(it)
    assert [(each.name, each.lost) for each in line.files] == [
        ("one.jpg", None),
        ("two.jpg", "gone"),
    ]


async def test_a_file_comes_late_into_a_resolved_matter(router: InMemoryRouter) -> None:
    """It belongs to what was told there, and opens the matter neither again nor anew."""
    wrote = with_files(message("thanks", "m1", channel="email"), "receipt.pdf")
    it = await router.owned_by("piotr", wrote)
    await router.does("piotr", "wrap_up", conversation=it, disposition="solved", summary="done")
    await router.does("piotr", "resolve", conversation=it)
    assert await router.happens(kept(wrote)) == ["attachment.stored"]
    (found,) = await router.conversations()
    assert found.resolved


async def test_a_file_without_its_message_is_kept_on_the_account(router: InMemoryRouter) -> None:
    """Its message was parked or never decided: nobody's matter is opened by it."""
    await router.happens(call("started"))
    orphan = with_files(message("lost", "m9", channel="chat", handles=[]), "lamp.jpg")
    assert await router.happens(kept(orphan)) == ["attachment.stored"]
    (it,) = await router.conversations()
    assert said(it) == []


async def test_a_recording_is_a_thing_said_of_its_own(router: InMemoryRouter) -> None:
    """Nothing else says what was spoken: the next person sees that she can hear it."""
    await router.happens(call("started"), call("answered", k=1))
    recorded = recording()
    await router.happens(recorded)
    assert await router.happens(kept_recording(recorded)) == ["attachment.stored"]
    (it,) = await router.conversations()
    (line,) = said(it)
    assert (line.text, [each.name for each in line.files]) == ("[recording]", ["r.wav"])


def kept_recording(recorded: CallRecorded) -> AttachmentStored:
    """Return what says that the file of a recording is ours."""
    content = BodyReference(sha256=SHA256, size_bytes=9, chunks=1)
    stored = StoredFile(content=content, media_type="audio/wav", name="r.wav", stored=LATER)
    return stored_event(attachments_of(recorded)[0], stored)


def recording() -> CallRecorded:
    """Return what a provider says of the recording of the call."""
    answered = call("answered", k=2)
    opened = {name: getattr(answered.open, name) for name in type(answered.open).__struct_fields__}
    assert answered.personal is not None
    return CallRecorded(
        **{
            name: getattr(answered, name)
            for name in CallRecorded.__struct_fields__
            if name != "data"
        },
        data=Data(
            open=CallRecordedOpen(**opened),
            personal=CallRecordedPersonal(
                handles=answered.personal.handles,
                files=[AttachedFile(media_type="audio/wav", name="r.wav", source="r")],
            ),
        ),
    )
