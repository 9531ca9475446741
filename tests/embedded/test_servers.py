"""The embedded servers: data and port survive, and nothing is left half-made."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
import yaml

from deploy.embedded import binaries, postgres, wire
from deploy.embedded.errors import ProgramExited, ProgramNotStarted
from deploy.embedded.nats import choose_ports
from tests.support.servers import EmbeddedNats, EmbeddedNatsCluster, EmbeddedPostgres

COMPOSE = Path(__file__).resolve().parents[2] / "deploy" / "compose" / "compose.yaml"


async def ask(url: str, subject: str, **body: object) -> dict[str, object]:
    """One JetStream API answer."""
    payload = json.dumps(body).encode() if body else b""
    reply = json.loads(await wire.request(url, subject, payload, timeout_seconds=5))
    assert isinstance(reply, dict)
    return reply


async def test_an_acknowledged_message_survives_kill_9_of_the_server(tmp_path: Path) -> None:
    """What JetStream acknowledged is there when the server is back on the same address."""
    async with EmbeddedNats(tmp_path) as server:
        url = server.url
        await ask(url, "$JS.API.STREAM.CREATE.S", name="S", subjects=["s.>"], storage="file")
        stored = json.loads(await wire.request(url, "s.one", b"kept", timeout_seconds=5))
        await server.kill()
        assert server.pid is None
        await server.restart()
        assert server.url == url
        found = await ask(url, "$JS.API.STREAM.MSG.GET.S", seq=stored["seq"])
    message = found["message"]
    assert isinstance(message, dict)
    assert message["subject"] == "s.one"


async def test_the_server_syncs_before_it_acknowledges(tmp_path: Path) -> None:
    """The server itself reports that it syncs always."""
    async with EmbeddedNats(tmp_path) as server:
        host = server.monitor_url.removeprefix("http://")
        answered = await http_get(host, "/varz")
    assert answered["jetstream"]["config"]["sync_always"] is True


async def http_get(host: str, path: str) -> dict[str, dict[str, dict[str, object]]]:
    """A JSON document of the server's monitoring."""
    reader, writer = await asyncio.open_connection(*host.split(":"))
    writer.write(f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    found = json.loads(answer.split(b"\r\n\r\n", 1)[1])
    assert isinstance(found, dict)
    return found


async def test_a_request_without_a_listener_is_not_reached_at_once(tmp_path: Path) -> None:
    """Nobody listening is told by the server; the caller does not wait for the time-out."""
    async with EmbeddedNats(tmp_path) as server:
        with pytest.raises(wire.NotReached, match="nobody listens"):
            await wire.request(server.url, "nobody.here", timeout_seconds=30)


async def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    """The error carries the end of the log: here, that the port is taken."""
    ports = choose_ports()[0]
    async with EmbeddedNats(tmp_path / "first", ports):
        second = EmbeddedNats(tmp_path / "second", ports)
        with pytest.raises(ProgramExited) as caught:
            await second.start()
    assert "address already in use" in caught.value.how_to_mend


@pytest.mark.cluster
async def test_a_cluster_elects_another_leader_when_its_leader_is_killed(
    nats_cluster: EmbeddedNatsCluster,
) -> None:
    """A replicated stream goes on after kill -9 of its leader, and the killed node comes back."""
    config = {"name": "R3", "subjects": ["r3.>"], "storage": "file", "num_replicas": 3}
    await ask(nats_cluster.urls[0], "$JS.API.STREAM.CREATE.R3", **config)
    first = await nats_cluster.leader_of("R3")
    await nats_cluster.kill(first)
    assert nats_cluster.pid(first) is None
    second = await nats_cluster.leader_of("R3")
    assert second != first
    stored = await wire.request(nats_cluster.urls[second], "r3.x", b"after", timeout_seconds=10)
    assert json.loads(stored)["seq"] == 1
    await nats_cluster.restart(first)
    assert nats_cluster.pid(first) is not None


async def test_a_committed_row_survives_kill_9_of_the_postmaster(
    tmp_path: Path, postgres_template: Path
) -> None:
    """What was committed is there when the server is back on the same address."""
    async with EmbeddedPostgres(
        tmp_path / "data", template=postgres_template, syncs=False
    ) as server:
        await run_sql(server.dsn, "CREATE TABLE kept AS SELECT 'ŁÓDŹ' AS place")
        await server.kill()
        await server.restart()
        assert await run_sql(server.dsn, "SELECT lower(place) FROM kept") == "łódź"


async def run_sql(dsn: str, statement: str) -> object:
    """The first value of a statement's result."""
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def test_postgres_listens_on_loopback_only(postgres_dsn: str) -> None:
    """No other address and no socket file."""
    shown = await run_sql(
        postgres_dsn,
        "SELECT current_setting('listen_addresses') || current_setting('unix_socket_directories')",
    )
    assert shown == "127.0.0.1"


def test_a_failed_initdb_leaves_no_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a data folder would be taken for a whole one at the next start."""
    binaries_folder = tmp_path / "bin"
    binaries_folder.mkdir()
    for name in ("initdb", "postgres"):
        program = binaries_folder / name
        program.write_text(
            '#!/bin/sh\n[ "$1" = --version ] && echo "x 18.1" && exit\n'
            'while [ "$1" != -D ]; do shift; done\nmkdir -p "$2"; echo broken >&2; exit 3\n'
        )
        program.chmod(0o755)
    monkeypatch.setenv("PG_BIN", str(binaries_folder))
    with pytest.raises(ProgramNotStarted, match="broken"):
        postgres.create_cluster(tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_the_words_of_the_compose_file_make_a_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its image hands them to initdb as they stand, and adds no encoding."""
    folder = binaries.postgres_folder()
    if binaries.version(folder / "initdb") < (postgres.UNICODE_BUILTIN_SINCE,):
        pytest.skip(f"needs Postgres {postgres.UNICODE_BUILTIN_SINCE}")
    compose = yaml.safe_load(COMPOSE.read_text("utf-8"))
    words = compose["services"]["postgres"]["environment"]["POSTGRES_INITDB_ARGS"].split()
    argv = [str(folder / "initdb"), "--username", postgres.USER, "--auth=trust", *words]
    monkeypatch.setattr(postgres, "_initdb_argv", lambda: argv)
    postgres.create_cluster(tmp_path / "data")
    assert (tmp_path / "data" / "PG_VERSION").exists()


@pytest.mark.parametrize("pid", ["dead", "other"])
def test_the_lock_of_a_dead_postmaster_is_removed(tmp_path: Path, pid: str) -> None:
    """An id that is gone, or that another program has by now, does not keep Postgres from starting."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    number = gone.pid if pid == "dead" else os.getpid()
    lock = tmp_path / "postmaster.pid"
    lock.write_text(f"{number}\n{tmp_path}\n")
    postgres.clear_dead_lock(tmp_path)
    assert not lock.exists()


async def test_the_lock_of_a_living_postmaster_stays(
    tmp_path: Path, postgres_template: Path
) -> None:
    """Two servers on one data folder would destroy it."""
    async with EmbeddedPostgres(
        tmp_path / "data", template=postgres_template, syncs=False
    ) as server:
        postgres.clear_dead_lock(server.folder)
        assert (server.folder / "postmaster.pid").exists()
