"""What comes piece by piece, joined."""

from collections.abc import AsyncIterator


async def joined(pieces: AsyncIterator[bytes]) -> bytes:
    """Return all pieces in a row. Raises: as giving them does."""
    return b"".join([each async for each in pieces])
