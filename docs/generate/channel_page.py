"""The page of channels: what their files in ingest, notify and the story player say of themselves."""

from collections.abc import Iterator

from deploy.story.providers import PROVIDERS
from docs.generate.channel_quality import quality
from docs.generate.markdown import page, paragraphs, table
from services.ingest.channels import CHANNELS as INBOUND
from services.notify.channels import CHANNELS as OUTBOUND


def channels_page() -> str:
    about = (
        "One file each in `services/ingest/channels/`, in `services/notify/channels/` where agents can write\n"
        "on it, and in `deploy/story/providers/`, which plays its provider:\n"
        "[how to add one](../how-to/add-a-channel.md)."
    )

    def body() -> Iterator[str]:
        yield from ("## What arrives at `POST /in/<tenant>/<channel>/<account>`", "")
        inbound = (
            (
                f"`{name}`",
                channel.MEDIUM,
                first_line(channel),
                first_line(channel.verify),
                ", ".join(f"`{secret}`" for secret in channel.SECRETS),
                ", ".join(f"`{kind}`" for kind in sorted({*channel.KINDS.values()} - {"ignored"})),
            )
            for name, channel in INBOUND.items()
        )
        head = ("channel", "medium", "what it is", "signature", "secrets", "becomes")
        yield from table(head, inbound)
        yield from ("## What agents write", "")
        outbound = (
            (f"`{name}`", channel.MEDIUM, first_line(channel), f"`{channel.CARRIER}`")
            for name, channel in OUTBOUND.items()
        )
        yield from table(("channel", "medium", "what it is", "carried by"), outbound)
        yield from ("## What stories and `tellonce deliver` play", "")
        played = (
            (f"`{name}`", first_line(provider), first_line(provider.body))
            for name, provider in PROVIDERS.items()
        )
        yield from table(("channel", "what is played", "what `body` becomes"), played)
        yield from quality()

    return page("Channels", about, body())


def first_line(thing: object) -> str:
    """Return the first line of a docstring, without what it raises."""
    return paragraphs(thing).partition("\n")[0].partition(" Raises:")[0]
