"""The stack: starts, mends itself, stops in order, and says clearly when it cannot run."""

import json
import os
import signal
import socket
import sys
import time
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from deploy.embedded import state, wire
from deploy.embedded.errors import DataFolderInUse, DataFolderOutdated, PortTaken, ProgramExited
from deploy.embedded.stack import EmbeddedStack, Plan
from deploy.embedded.status import NO_ANSWER, examine
from shared import SERVICES
from shared.bus_address import BusAddress
from tests.embedded.dummies import dummy_plan
from tests.embedded.waiting import until
from tests.support.frozen import frozen
from tests.support.servers import EmbeddedNats
from tests.support.waiting import eventually

BACK_SECONDS = 15.0
BACK_SECONDS_I10 = 3.0
"""What a killed service may take until it serves again."""
KILLS = 3


async def test_a_stack_starts_and_stops_and_says_so(data: Path) -> None:
    """Ready means that every part answers; stopped means that every process is gone."""
    async with EmbeddedStack(dummy_plan(data)) as stack:
        found = await examine(data)
        shown = json.loads(found.as_json())
        pids = dict(stack.status().pids)
    always = {"state", "addresses", "pids", "position", "troubles"}
    assert set(shown) == always | {"monitors", "free_bytes"}
    assert set(shown["monitors"]) == set(SERVICES)
    assert set(shown["free_bytes"]) == {"nats", "postgres"}
    assert shown["state"] == "ready"
    assert set(shown["addresses"]) == {"ingest", "nats", "postgres", "history"}
    assert set(shown["pids"]) == {"nats", "postgres", *SERVICES}
    assert shown["position"] == 0
    assert not [name for name, pid in pids.items() if is_alive(pid)]
    assert (await examine(data)).state == "stopped"


def is_alive(pid: int) -> bool:
    """Whether a process with this id exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_every_pid_of_the_status_may_be_killed(data: Path) -> None:
    """After signal 9 a new process answers at the same address, and the others were not restarted."""
    async with EmbeddedStack(dummy_plan(data)) as stack:
        addresses = dict(stack.addresses)
        for name, pid in stack.status().pids.items():
            others = {k: v for k, v in stack.status().pids.items() if k != name}
            os.kill(pid, signal.SIGKILL)
            await until(
                lambda name=name, pid=pid: (  # type: ignore[misc]
                    stack.status().pids[name] != pid and stack.status().state == "ready"
                ),
                within_seconds=BACK_SECONDS,
            )
            assert {k: v for k, v in stack.status().pids.items() if k != name} == others
        assert (await examine(data)).state == "ready"
        assert stack.addresses == addresses


async def test_a_part_that_does_not_answer_degrades_the_status(data: Path) -> None:
    """A frozen service is alive for the kernel and silent for everybody else."""
    async with EmbeddedStack(dummy_plan(data)) as stack:
        with frozen(stack.status().pids["router"]):
            found = await examine(data)
        assert (found.state, found.troubles) == ("degraded", {"router": [NO_ANSWER]})
        assert json.loads((await examine(data)).as_json())["troubles"] == {}


async def test_services_may_rest_while_the_servers_run(data: Path) -> None:
    """What a timer or a provider does in that time waits in the servers."""
    async with EmbeddedStack(dummy_plan(data)) as stack:
        before = dict(stack.status().pids)
        await stack.stop_services()
        assert (await examine(data)).state == "degraded"
        assert not [name for name in SERVICES if is_alive(before[name])]
        await stack.start_services()
        found = await examine(data)
    assert found.state == "ready"
    assert found.pids["nats"] == before["nats"]


async def test_a_log_file_stays_short(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its older part is kept beside it, and the service goes on writing to the file."""
    monkeypatch.setattr("deploy.embedded.process.MAX_LOG_BYTES", 1_000)
    monkeypatch.setattr("deploy.embedded.supervisor.LOG_CHECK_SECONDS", 0.02)
    log = data / "logs" / "router.log"
    async with EmbeddedStack(dummy_plan(data)) as stack:
        with log.open("ab") as file:
            file.write(b"x" * 2_000)
        await until(lambda: log.stat().st_size == 0, within_seconds=5)
        os.kill(stack.status().pids["router"], signal.SIGKILL)
        await until(lambda: log.stat().st_size > 0, within_seconds=BACK_SECONDS)
        assert log.read_text() == "router started\n"
    assert log.with_name("router.log.1").read_text().startswith("router started")


async def test_a_folder_that_cannot_be_written_stops_no_service(data: Path) -> None:
    """Mending goes on while the status file cannot be written: here, a folder is in its way."""
    async with EmbeddedStack(dummy_plan(data)) as stack:
        pid = stack.status().pids["router"]
        (data / "status.json").unlink()
        (data / "status.json").mkdir()
        os.kill(pid, signal.SIGKILL)
        await until(
            lambda: stack.status().pids["router"] != pid and stack.status().state == "ready",
            within_seconds=BACK_SECONDS,
        )
        (data / "status.json").rmdir()


async def test_a_second_stack_on_the_same_folder_is_refused(data: Path) -> None:
    """Two stacks on one folder would destroy the ledger; the error names who holds it."""
    async with EmbeddedStack(dummy_plan(data)) as stack:
        before = stack.status()
        with pytest.raises(DataFolderInUse) as caught:
            await EmbeddedStack(dummy_plan(data)).start()
        assert caught.value.details["pid"] == os.getpid()
        assert (await examine(data)).pids == before.pids


async def test_a_data_folder_of_an_older_layout_is_refused_and_left_as_it_was(
    data: Path,
) -> None:
    """Its ledger has subjects that this version does not read: a code and what to do, before anything is started."""
    (data / "nats" / "jetstream").mkdir(parents=True)
    with pytest.raises(DataFolderOutdated) as caught:
        await EmbeddedStack(dummy_plan(data)).start()
    assert caught.value.details == {"folder": str(data), "layout": "1", "wanted": state.LAYOUT}
    assert "--data" in caught.value.how_to_mend
    assert not (data / "layout").exists()
    assert list((data / "nats").iterdir()) == [data / "nats" / "jetstream"]


async def test_data_and_ports_are_the_same_at_the_next_start(data: Path) -> None:
    """A provider's webhook address and the ledger survive a stop of the whole stack."""
    async with EmbeddedStack(dummy_plan(data)) as stack:
        addresses = dict(stack.addresses)
        await publish(stack.bus_address("router"))
        await stack.restart()
        assert stack.addresses == addresses
    async with EmbeddedStack(dummy_plan(data)) as stack:
        assert stack.addresses == addresses
        assert (await examine(data)).position == 1


async def publish(bus: BusAddress) -> None:
    """One message into the ledger's stream."""
    reply = json.loads(await wire.request(bus, "ledger.1.demo.conv.1", b"{}", timeout_seconds=5))
    assert reply["stream"] == "LEDGER"


async def test_a_taken_port_is_not_waited_for_but_replaced(data: Path) -> None:
    """A remembered port that another program holds by now is given up."""
    async with EmbeddedStack(dummy_plan(data)) as stack:
        port = int(stack.addresses["ingest"].rsplit(":", 1)[1])
    with socket.create_server(("127.0.0.1", port)):
        async with EmbeddedStack(dummy_plan(data)) as stack:
            assert not stack.addresses["ingest"].endswith(f":{port}")


async def test_a_taken_port_that_was_asked_for_is_an_error(data: Path) -> None:
    """The port in TELLONCE_INGEST_PORT is what providers were told: no other will do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken) as caught:
            await EmbeddedStack(dummy_plan(data, TELLONCE_INGEST_PORT=str(port))).start()
    assert caught.value.details["port"] == port
    assert state.holder(data) is None


@pytest.mark.parametrize("host", ["127.0.0.2", "localhost"])
async def test_the_doors_are_looked_for_where_they_were_told_to_be(data: Path, host: str) -> None:
    """A stack whose ingest binds another address becomes ready and names that address."""
    async with EmbeddedStack(dummy_plan(data, TELLONCE_INGEST_HOST=host)) as stack:
        assert stack.addresses["ingest"].startswith(f"http://{host}:")
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.get(f"{stack.addresses['ingest']}/readyz")
        assert answer.status_code == 200


async def test_log_files_are_their_owners_alone(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the umask and the folder allow, also one of an older version and one that was put aside."""
    monkeypatch.setattr("deploy.embedded.process.MAX_LOG_BYTES", 3)
    logs = data / "logs"
    logs.mkdir(parents=True)
    (logs / "ingest.log").write_text("older")
    (logs / "ingest.log").chmod(0o666)
    before = os.umask(0)
    try:
        async with EmbeddedStack(dummy_plan(data)):
            modes = {path.name: path.stat().st_mode & 0o777 for path in logs.iterdir()}
    finally:
        os.umask(before)
    assert {"nats.log", "postgres.log", "ingest.log", "ingest.log.1"} <= set(modes)
    assert set(modes.values()) == {0o600}


async def test_a_server_given_by_its_address_is_used(tmp_path: Path) -> None:
    """With TELLONCE_NATS_URL no other server is started, and the given one is left running."""
    async with EmbeddedNats(tmp_path / "given") as given:
        plan = dummy_plan(tmp_path / "stack", TELLONCE_NATS_URL=given.url)
        async with EmbeddedStack(plan) as stack:
            assert stack.addresses["nats"] == given.url
            assert "nats" not in stack.status().pids
        assert given.pid is not None


async def test_a_service_that_cannot_start_is_named_with_its_last_words(data: Path) -> None:
    """The start fails with the service's own output, and everything started before is stopped."""
    plan = dummy_plan(data)
    broken = (sys.executable, "-c", "raise SystemExit('the policy is missing')")
    stack = EmbeddedStack(replace(plan, services={**plan.services, "router": broken}))
    with pytest.raises(ProgramExited) as caught:
        await stack.start()
    assert caught.value.details["program"] == "router"
    assert "the policy is missing" in caught.value.how_to_mend
    assert not [name for name, pid in stack.status().pids.items() if is_alive(pid)]


async def test_a_failed_bootstrap_starts_no_service(data: Path) -> None:
    """Without its streams no service may run."""
    plan = dummy_plan(data)
    failing = (sys.executable, "-c", "raise SystemExit('stream.drift')")
    stack = EmbeddedStack(replace(plan, bootstrap=failing))
    with pytest.raises(ProgramExited) as caught:
        await stack.start()
    assert "stream.drift" in caught.value.how_to_mend
    assert not [name for name in SERVICES if (data / "logs" / f"{name}.log").exists()]


async def test_services_stop_before_the_servers(data: Path) -> None:
    """A service that says goodbye on the bus must still find it."""
    plan = dummy_plan(data)
    # Ends on SIGTERM only after it has reached the server once more.
    goodbye = (
        "import os, signal, socket, sys, threading\n"
        "from urllib.parse import urlsplit\n"
        "at = urlsplit(os.environ['TELLONCE_NATS_URL'])\n"
        "def leave(*_):\n"
        "    try: socket.create_connection((at.hostname, at.port), 2).close(); print('goodbye')\n"
        "    except OSError: print('too late')\n"
        "    sys.stdout.flush(); os._exit(0)\n"
        "signal.signal(signal.SIGTERM, leave)\n"
        "import runpy; sys.argv = ['dummy', 'notify']\n"
        "runpy.run_module('tests.embedded.dummy', run_name='__main__')\n"
    )
    services = {**plan.services, "notify": (sys.executable, "-c", goodbye)}
    async with EmbeddedStack(replace(plan, services=services)):
        pass
    assert "goodbye" in (data / "logs" / "notify.log").read_text()


async def test_a_real_service_serves_again_soon_after_kill_9(data: Path) -> None:
    """I10 leaves a service 3 s: ingest itself is killed, and its door answers again; the times are reported.

    How long it takes is the machine's business too, so only five times as long is a failure.
    """
    plan = dummy_plan(data)
    real = Plan(folder=data)
    services = {**plan.services, "ingest": real.services["ingest"]}
    async with EmbeddedStack(replace(plan, bootstrap=real.bootstrap, services=services)) as stack:
        took = [await seconds_until_healthy_again(stack) for _ in range(KILLS)]
    told = f"ingest answers /healthz {', '.join(f'{each:.2f}' for each in took)} s after signal 9"
    print(told)
    assert max(took) < 5 * BACK_SECONDS_I10, told


async def seconds_until_healthy_again(stack: EmbeddedStack) -> float:
    """Kill ingest and measure until its next process answers. Raises: AssertionError after too long."""
    pid = stack.status().pids["ingest"]
    async with httpx.AsyncClient(base_url=stack.addresses["ingest"], trust_env=False) as client:

        async def healthy() -> bool:
            try:
                return (await client.get("/healthz")).is_success
            except httpx.TransportError:
                return False

        async def serves_again() -> bool:
            return stack.status().pids["ingest"] != pid and await healthy()

        assert await healthy()
        started = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        await eventually(serves_again, within_seconds=5 * BACK_SECONDS_I10)
        return time.monotonic() - started
