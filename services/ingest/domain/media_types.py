"""The kind of a file by its name, where a provider does not say it.

A table of our own: that of the standard library differs by version and machine, and a delivery that is parsed again
gives the same bytes. Source: IANA, Media Types, read 2026-11.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

UNKNOWN = "application/octet-stream"
BY_ENDING: Mapping[str, str] = {
    "aac": "audio/aac",
    "amr": "audio/amr",
    "csv": "text/csv",
    "doc": "application/msword",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "gif": "image/gif",
    "heic": "image/heic",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "m4a": "audio/mp4",
    "mov": "video/quicktime",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "odt": "application/vnd.oasis.opendocument.text",
    "ogg": "audio/ogg",
    "pdf": "application/pdf",
    "png": "image/png",
    "ppt": "application/vnd.ms-powerpoint",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "rtf": "application/rtf",
    "txt": "text/plain",
    "vcf": "text/vcard",
    "wav": "audio/wav",
    "webm": "video/webm",
    "webp": "image/webp",
    "xls": "application/vnd.ms-excel",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "zip": "application/zip",
}


def of(name: str, otherwise: str = UNKNOWN) -> str:
    """Return the media type of a file by the ending of its name or address; `otherwise` where that says nothing."""
    try:
        path = urlsplit(name).path
    except ValueError:
        path = name
    return BY_ENDING.get(path.rpartition(".")[2].lower(), otherwise)
