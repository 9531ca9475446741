"""The secret by which some providers prove themselves in the body. It is compared at the door and kept nowhere."""

import msgspec

from shared import codec

MEMBER = "secret_key"
"""What is called so in the object that a body is."""

_object: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])
_text = msgspec.json.Decoder(str)
_NAMED = f'"{MEMBER}"'.encode()


def given(body: bytes) -> str | None:
    """Return the secret that a body holds, read as `without` reads it; `None` where it holds none."""
    try:
        return _text.decode(_object.decode(body)[MEMBER]) if _NAMED in body else None
    except (*codec.UNREADABLE, KeyError):
        return None


def without(body: bytes) -> bytes:
    """Return a body without its secret, the other members byte for byte; a body that holds none as it is."""
    if _NAMED not in body:
        return body
    try:
        members = _object.decode(body)
    except codec.UNREADABLE:
        return body
    if MEMBER not in members:
        return body
    return msgspec.json.encode({name: each for name, each in members.items() if name != MEMBER})
