"""The fields of a mail's parts, as they are read: by the standard parser's old policy, and none is lost for a mistake.

Sources: RFC 2045, section 5.1 (parameters), RFC 2231 (their other forms), read 2026-11-22.
"""

import contextlib
import re
from email.message import Message
from email.policy import Compat32
from typing import Any

from typing_extensions import override

from services.ingest.domain import charsets, mail_headers, mime_parts

PARAMETERS_MAX_CHARACTERS = 2_048
"""A field with parameters that is longer is read in a plain way, and no further than this."""


class _Reading8Bit(Compat32):
    """The standard parser's old policy; a field with letters of eight bits is given as text and loses none of them.

    Of an encoding its word counts: blanks and a semicolon behind it have kept files from being decoded.
    """

    @override
    def header_fetch_parse(self, name: str, value: Any) -> Any:
        if name.lower() == "content-transfer-encoding":
            return mime_parts.first_word(str(value))
        plain = not isinstance(value, str) or value.isascii()
        return value if plain else mail_headers.unfolded(value)


READING = _Reading8Bit()


class Part(Message):
    """A part that can always be asked for its parameters, however RFC 2231 was broken in them.

    Its kind is worked out once: whoever asks has its whole head, and nobody changes it.
    """

    _kind: str | None = None

    @override
    def get_content_type(self) -> str:
        if self._kind is None:
            self._kind = super().get_content_type()
        return self._kind

    @override
    def get_param(
        self, param: str, failobj: Any = None, header: str = "content-type", unquote: bool = True
    ) -> Any:
        written = str(self.get(header, ""))
        if param not in written.lower():
            return failobj
        if len(written) > PARAMETERS_MAX_CHARACTERS:
            # The standard parser's time grows with the square of the length.
            return _plain(written[:PARAMETERS_MAX_CHARACTERS], param) or failobj
        try:
            return super().get_param(param, failobj, header, unquote)
        except (TypeError, ValueError):
            # Two forms of one name, or a number without end: the standard parser cannot put them in order.
            return _plain(written, param) or failobj

    @override
    def get_boundary(self, failobj: Any = None) -> Any:
        try:
            return super().get_boundary(failobj)
        except ValueError:
            return failobj


def _plain(value: str, name: str) -> str | None:
    """Return a parameter that is written in the plain form, `name=value` or `name="value"`."""
    found = re.search(
        rf';\s*{re.escape(name)}\s*=\s*(?:"([^"]*)"|([^\s;"]+))', value, re.IGNORECASE
    )
    return None if found is None else found[1] or found[2]


def file_name(part: Message) -> str | None:
    """Return a part's file name; of one that is given in both forms that of RFC 2231, which loses nothing."""
    for name, field in (("filename", "content-disposition"), ("name", "content-type")):
        forms, written = [], str(part.get(field, ""))
        if "*" in written and len(written) <= PARAMETERS_MAX_CHARACTERS:
            with contextlib.suppress(ValueError, LookupError, TypeError):
                given = part.get_params(failobj=[], header=field)
                forms = [value for each, value in given if each.lower() == name]
        forms.sort(key=lambda value: not isinstance(value, tuple))
        value = next(iter(forms), None) or part.get_param(name, None, field)
        if isinstance(value, tuple):
            return charsets.decode(value[2].encode("latin-1", "replace"), value[0]).strip()
        if value is not None:
            return mail_headers.text(value).strip()
    return None
