"""What a measurement says of its servers is what they say themselves."""

from pathlib import Path

import pytest

from deploy.embedded import nats
from tests.bench.place import nats_told, postgres_told
from tests.support.servers import EmbeddedNats


async def test_a_server_that_syncs_always_is_told_so(nats_server: EmbeddedNats) -> None:
    """As the embedded one is started."""
    said = await nats_told(nats_server.monitor_url)
    assert said.startswith("nats-server 2.")
    assert said.endswith("(one node, sync_interval: always)")


async def test_a_server_that_syncs_now_and_then_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same server with another configuration: the line is no constant."""
    usual = nats.config_text

    def seldom(*given: object) -> str:
        return usual(*given).replace('"always"', '"90s"')  # type: ignore[arg-type]

    monkeypatch.setattr(nats, "config_text", seldom)
    async with EmbeddedNats(tmp_path) as server:
        assert (await nats_told(server.monitor_url)).endswith("(one node, sync_interval: 90 s)")


async def test_what_a_commit_waits_for_is_asked(postgres_dsn: str) -> None:
    """By the session that asks: another setting of it shows, and that the tests' own server does not sync."""
    said = await postgres_told(postgres_dsn)
    assert said.endswith("(fsync: off, synchronous_commit: on, full_page_writes: on)")
    said = await postgres_told(f"{postgres_dsn}?synchronous_commit=off")
    assert "synchronous_commit: off" in said
