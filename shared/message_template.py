"""How a command names a template of a provider: words that it has approved, and what stands in their places."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Place = Annotated[str, Meta(min_length=1, max_length=512)]


class TemplateFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands above the words. `address`: from where the provider fetches it; `name`: of a document."""

    kind: Literal["image", "video", "document"]
    address: Annotated[str, Meta(pattern=r"^https://[!-~]{1,1024}\Z")]
    name: Place | None = None


class TemplateButton(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a button of a template needs. `position`: which one, from 0; `value`: the end of its address, what comes
    back when it is chosen, or the code that it copies.
    """

    position: Annotated[int, Meta(ge=0, le=9)]
    kind: Literal["url", "quick_reply", "copy_code"]
    value: Place


class Template(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Words that the provider has approved, by its own name of them. `parameters`: what is put into their places.

    `header`: what is put into the place of the line above them; `header_file`: the file that stands there instead.
    """

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_]{1,512}\Z")]
    language: Annotated[str, Meta(pattern=r"^[a-z]{2,3}(_[A-Z]{2})?\Z")]
    parameters: Annotated[list[Place], Meta(max_length=32)] = []
    header: Place | None = None
    header_file: TemplateFile | None = None
    buttons: Annotated[list[TemplateButton], Meta(max_length=10)] = []

    def __post_init__(self) -> None:
        """Raises: ValueError, so that a command which holds such a template is refused."""
        if self.header is not None and self.header_file is not None:
            raise ValueError("a template has a `header` or a `header_file`, not both")
        if len({each.position for each in self.buttons}) != len(self.buttons):
            raise ValueError("two buttons of a template stand at one `position`")
