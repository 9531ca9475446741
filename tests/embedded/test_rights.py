"""Who may do what on the bus: what is forbidden is tried, user by user, on a server with the users of a cell."""

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from deploy import bootstrap, bus_users, rights
from shared import SERVICES, ensuring, errors, nkey, policy, settings, subjects
from shared.bus import Bus, connect
from shared.bus.deliveries import Message
from shared.bus_address import BusAddress
from shared.streams import CONTACTS, LEDGER, RAW
from tests.support.servers import EmbeddedNats
from tests.support.waiting import eventually

DESK, CRM, ERP = "desk-demo", "integration-demo.crm", "integration-demo.erp"
THEIR_DESK, THEIR_CRM = "desk-other", "integration-other.crm"
TENANTS_USERS = (DESK, CRM, ERP, THEIR_DESK, THEIR_CRM)
USERS = (*rights.HOUSE, *TENANTS_USERS)
API, DURABLE = "$JS.API", "router-contacts-0"
OFFER = subjects.command("demo", "accept_offer")
OFFER_AS_CRM = subjects.asked_as(OFFER, "crm")

PUBLISH: Mapping[str, frozenset[str] | set[str]] = {
    "raw.1.demo.form.contact": {"ingest"},
    "body.demo.abc.0": {"ingest"},
    "file.demo.abc.0": {"ingest"},
    "balance.demo.form.contact": {"ingest"},
    "contact.1.demo.form.x": {"ingest", "notify"},
    "visit.1.demo.v": {"ingest"},
    "ledger.1.demo.conv.x": {"router"},
    "ledger.1.demo.cust.x": {"router"},
    "ledger.1.demo.notif.x": {"notify"},
    "ledger.1.demo.ledger.identity": {"bootstrap"},
    "ledger.1.demo.strange.x": set(),
    "timer.demo.conv.x.offer_expiry.t": {"router"},
    "timer.demo.notif.x.notification_escalation.t": {"notify"},
    "fired.1.demo.conv.x.offer_expiry.t": set(),
    "fired.1.demo.conv.x.message_sending.now": {"notify"},
    "refused.demo.x": {"router", "notify"},
    "snapshot.router.picture.head": {"router"},
    "answer.demo.page": {"notify"},
    "canary.router.x": {"router"},
    "live.ledger.1.demo.conv.x": set(),
    "screen.demo.agent-ewa": {"notify"},
    "typing.demo.page.visitor": {"ingest"},
    "typing.demo.page.agent": {DESK},
    "cmd.demo.accept_offer": {"operator", DESK},
    "cmd.other.accept_offer": {"operator", THEIR_DESK},
    "cmd.demo.park_work": {"operator", "notify", DESK},
    "query.demo.timeline": {"operator", DESK},
    "query.demo.known": {"operator", "ingest", "router", DESK},
    "cmd.demo.accept_offer.as.crm": {"operator", CRM},
    "cmd.demo.accept_offer.as.erp": {"operator", ERP},
    "cmd.demo.accept_offer.as.nobody": {"operator"},
    "cmd.demo.accept_offer.as": {"operator"},
    "cmd.demo.accept_offer.as.crm.erp": {"operator"},
    "cmd.other.accept_offer.as.crm": {"operator", THEIR_CRM},
    "query.demo.timeline.as.crm": {"operator", CRM},
    "query.demo.timeline.as.erp": {"operator", ERP},
    "query.other.timeline.as.crm": {"operator", THEIR_CRM},
    f"_INBOX.{ERP}.x": {ERP, *SERVICES},
    "ops.history.rebuild": {"operator"},
    f"$JS.ACK.{CONTACTS}.{DURABLE}.1.1.1.1.0": {"router", "ingest"},
    f"$JS.ACK.{LEDGER}.notify-lane-0.1.1.1.1.0": {"notify"},
    "$SYS.REQ.SERVER.PING": set(),
}
"""Who of USERS may publish on a subject, as the house means it."""

CALLS: Mapping[str, frozenset[str] | set[str]] = {
    f"STREAM.CREATE.{CONTACTS}": set(),
    f"STREAM.UPDATE.{LEDGER}": set(),
    f"STREAM.DELETE.{LEDGER}": set(),
    f"STREAM.PURGE.{CONTACTS}": set(),
    f"STREAM.MSG.DELETE.{RAW}": set(),
    f"STREAM.SNAPSHOT.{LEDGER}": set(),
    f"STREAM.RESTORE.{LEDGER}": set(),
    f"STREAM.LEADER.STEPDOWN.{LEDGER}": set(),
    f"STREAM.MSG.GET.{RAW}": {"ingest", "operator"},
    f"DIRECT.GET.{LEDGER}": {"ingest", "router", "history", "notify", "operator"},
    f"DIRECT.GET.{LEDGER}.ledger.1.demo.conv.x": set(),
    f"CONSUMER.DURABLE.CREATE.{CONTACTS}.mine": set(),
    f"CONSUMER.CREATE.{LEDGER}": set(),
    f"CONSUMER.CREATE.{LEDGER}.follow-x": {"router", "history", "notify"},
    f"CONSUMER.CREATE.{LEDGER}.notify-lane-0": set(),
    f"CONSUMER.CREATE.{CONTACTS}.mine": set(),
    f"CONSUMER.DELETE.{LEDGER}.notify-lane-0": set(),
    f"CONSUMER.DELETE.{CONTACTS}.{DURABLE}": set(),
    f"CONSUMER.PAUSE.{CONTACTS}.{DURABLE}": set(),
    f"CONSUMER.MSG.NEXT.{LEDGER}.notify-lane-0": {"notify"},
    f"CONSUMER.MSG.NEXT.{CONTACTS}.{DURABLE}": {"router", "ingest"},
}
"""Who beside the bootstrap job, which may make any call, may make one of JetStream."""

HEAR: Mapping[str, frozenset[str] | set[str]] = {
    ">": set(),
    "_INBOX.>": set(),
    "raw.>": set(),
    "ledger.>": set(),
    "$JS.ACK.>": set(),
    "$SYS.>": set(),
    "cmd.*.accept_offer": {"router"},
    "cmd.*.accept_offer.as.*": {"router"},
    "cmd.demo.*.as.crm": set(),
    "cmd.*.acknowledge_notification": {"notify"},
    "query.*.timeline": {"history"},
    "query.*.timeline.as.*": {"history"},
    "query.*.balance": {"ingest"},
    "ops.history.*": {"history"},
    "$SRV.PING.router": {"router"},
    "live.answer.*.*": {"ingest"},
    "live.ledger.*.demo.*.*": {DESK, CRM, ERP},
    "live.ledger.*.other.*.*": {THEIR_DESK, THEIR_CRM},
    "live.ledger.>": set(),
    "screen.demo.agent-ewa": {DESK},
    "screen.other.agent-ewa": {THEIR_DESK},
    f"_INBOX.{CRM}.>": {CRM},
    f"_INBOX.{ERP}.*": {ERP},
    f"_INBOX.{THEIR_CRM}.>": {THEIR_CRM},
    "_INBOX.integration-demo.>": set(),
    "_R_.>": set(),
}
"""Who may listen to what."""


class Cell:
    """A server with the users and the streams of a cell, and no service."""

    def __init__(self, server: EmbeddedNats, users: Path) -> None:
        self.server = server
        self._users = users

    def address(self, user: str) -> BusAddress:
        """Where its bus is, for a user."""
        seed = bus_users.seed_file(self._users, user)
        return BusAddress(url=self.server.url, seed_file=str(seed))

    async def bus(self, user: str) -> Bus:
        """A connection of a user."""
        return await connect(self.address(user), user)


@pytest.fixture(scope="module", name="folder")
def users_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The users of a cell with two tenants."""
    folder = tmp_path_factory.mktemp("cell") / "users"
    bus_users.make(folder, TENANTS_USERS)
    return folder


@pytest.fixture
async def cell(folder: Path, tmp_path: Path) -> AsyncIterator[Cell]:
    """A cell of a test's own."""
    async with EmbeddedNats(tmp_path / "nats", users=folder) as server:
        found = Cell(server, folder)
        chosen = settings.Settings()
        bus = await found.bus("bootstrap")
        await ensuring.ensure(bus, bootstrap.wanted(chosen, [policy.load(chosen.policy)]))
        await bus.close()
        yield found


async def test_nobody_publishes_what_is_not_his(cell: Cell) -> None:
    """Each subject is tried by each user; what the table names is taken, and all else refused."""
    assert await tried(cell, PUBLISH, USERS) == dict(PUBLISH)


async def test_streams_and_consumers_are_the_bootstrap_jobs(cell: Cell) -> None:
    """Nobody else makes, changes, purges or deletes one; who reads one by its own consumers may do only that."""
    others = [user for user in USERS if user != rights.BOOTSTRAP]
    wanted = {f"{API}.{call}": users for call, users in CALLS.items()}
    assert await tried(cell, wanted, others) == wanted


async def test_the_bootstrap_job_makes_changes_purges_and_deletes(cell: Cell) -> None:
    """What nobody else may, it does."""
    bus = await cell.bus(rights.BOOTSTRAP)
    await bus.api("STREAM.CREATE.OWN", {"name": "OWN", "subjects": ["own.>"]})
    await bus.api("STREAM.UPDATE.OWN", {"name": "OWN", "subjects": ["own.>"], "max_msgs": 5})
    assert (await bus.api("STREAM.PURGE.OWN"))["success"]
    assert (await bus.api("STREAM.DELETE.OWN"))["success"]
    await bus.close()


async def tried(
    cell: Cell, table: Mapping[str, frozenset[str] | set[str]], users: "list[str] | tuple[str, ...]"
) -> dict[str, set[str]]:
    """Return who could publish on each subject."""
    found: dict[str, set[str]] = {subject: set() for subject in table}
    for user in users:
        bus = await cell.bus(user)
        for subject in table:
            await bus.publish(subject, b"{}")
        await bus.flush()
        for subject in table:
            try:
                bus.standing.check(subject)
            except errors.BusForbidden:
                continue
            found[subject].add(user)
        await bus.close()
    return found


async def test_nobody_hears_what_is_not_for_him(cell: Cell) -> None:
    """Least of all the answers to somebody else. A subscription that is refused ends the connection and says why."""
    found: dict[str, set[str]] = {}
    for subject in HEAR:
        found[subject] = {user for user in USERS if await _hears(cell, user, subject)}
    assert found == dict(HEAR)


async def _hears(cell: Cell, user: str, subject: str) -> bool:
    bus = await cell.bus(user)
    with contextlib.suppress(errors.BusForbidden):
        await bus.subscribe(subject, _nothing)
        await bus.flush()
    refused = bus.standing.reason
    await bus.close()
    assert refused is None or isinstance(refused, errors.BusForbidden)
    return refused is None


async def _nothing(_: object) -> None:
    """Hear it."""


async def test_who_may_not_ask_is_told_at_once(cell: Cell) -> None:
    """A request, a store and a list of them end with `bus.forbidden`; nobody waits for what never comes."""
    bus = await cell.bus("history")
    with pytest.raises(errors.BusForbidden):
        await bus.store(subjects.ledger("demo", "conv-x"), b"{}", msg_id="x")
    with pytest.raises(errors.BusForbidden):
        await bus.store_many([(subjects.raw("demo", "form", "contact"), b"{}", "x")])
    with pytest.raises(errors.BusForbidden):
        await bus.api(f"STREAM.DELETE.{LEDGER}")
    with pytest.raises(errors.BusForbidden):
        await anext(bus.pull(CONTACTS, DURABLE, batch=1))
    await bus.close()


async def test_an_answer_goes_to_no_stream(cell: Cell) -> None:
    """A request that names a subject of the ledger to be answered at: the server refuses the answer of the service."""
    router, ledger = await cell.bus("router"), subjects.ledger("demo", "notif-x")
    asked = await router.subscribe("cmd.*.accept_offer", lambda message: message.respond(b"{}"))
    await router.flush()
    outsider = await cell.bus(DESK)
    await outsider.publish("cmd.demo.accept_offer", b"{}", reply=ledger)
    operator = await cell.bus("operator")
    await operator.publish("cmd.demo.accept_offer", b"{}", reply=ledger)

    async def refused() -> bool:
        try:
            router.standing.check(ledger)
        except errors.BusForbidden:
            return True
        return False

    await eventually(refused)
    assert (await operator.api(f"STREAM.INFO.{LEDGER}"))["state"]["messages"] == 0
    await asked.stop()
    for bus in (router, outsider, operator):
        await bus.close()


async def test_an_outsider_asks_and_is_answered(cell: Cell) -> None:
    """From the accounts of the tenants' users, which have no stream, a command reaches its service and comes back."""
    async with answering(cell) as asked:
        desk, crm = await cell.bus(DESK), await cell.bus(CRM)
        for bus, subject in ((desk, OFFER), (crm, OFFER_AS_CRM)):
            assert await bus.request(subject, b"{}") == b"ok"
            await bus.close()
    assert asked == [OFFER, OFFER_AS_CRM]


@pytest.mark.parametrize(
    "subject",
    [
        OFFER,
        subjects.asked_as(OFFER, "erp"),
        subjects.asked_as(subjects.command("other", "accept_offer"), "crm"),
    ],
)
async def test_an_integration_is_nobody_but_itself(cell: Cell, subject: str) -> None:
    """Not the house, not its neighbour, not its namesake of another tenant: it is told so, and no service hears it."""
    async with answering(cell) as asked:
        crm = await cell.bus(CRM)
        with pytest.raises(errors.BusForbidden):
            await crm.request(subject, b"{}")
        await crm.close()
    assert asked == []


async def test_an_answer_to_an_integration_is_no_command_and_on_no_screen(cell: Cell) -> None:
    """Whoever asks says where the answer goes. It does not leave the account of the integrations."""
    heard: list[str] = []
    desk = await cell.bus(THEIR_DESK)
    await desk.noting("screen.other.*", lambda message: heard.append(message.subject))
    await desk.flush()
    async with answering(cell) as asked:
        crm = await cell.bus(CRM)
        for reply in (OFFER, subjects.asked_as(OFFER, "erp"), "screen.other.agent-ewa"):
            await crm.publish(OFFER_AS_CRM, b"{}", reply=reply)
        assert await crm.request(OFFER_AS_CRM, b"{}") == b"ok"
        await crm.close()
    await desk.flush()
    await desk.close()
    assert asked == [OFFER_AS_CRM] * 4
    assert heard == []


async def test_nobody_hears_the_answers_to_another_outsider(cell: Cell) -> None:
    """They come to inboxes that begin with a key."""
    for user in TENANTS_USERS:
        inbox = f"{nkey.inbox_of(nkey.read(cell.address(user).seed_file).public)}.>"
        assert {each for each in USERS if await _hears(cell, each, inbox)} == {user}


@contextlib.asynccontextmanager
async def answering(cell: Cell) -> AsyncIterator[list[str]]:
    """Answer one command, by whoever it is given, and return on which subjects it was."""
    asked: list[str] = []
    router = await cell.bus("router")

    async def answer(message: Message) -> None:
        asked.append(message.subject)
        await router.answer(message.reply, b"ok")

    for subject in ("cmd.*.accept_offer", "cmd.*.accept_offer.as.*"):
        await router.subscribe(subject, answer)
    await router.flush()
    yield asked
    await router.close()


async def test_an_outsider_hears_the_ledger_of_its_tenant(cell: Cell) -> None:
    """What the server repeats of LEDGER is told outside, too."""
    heard: list[bytes] = []
    outsider = await cell.bus(CRM)
    listening = await outsider.noting(
        "live.ledger.*.demo.*.*", lambda message: heard.append(message.body)
    )
    await outsider.flush()
    router = await cell.bus("router")
    for tenant, body in (("other", b"theirs"), ("demo", b"ours")):
        await router.store(subjects.ledger(tenant, "conv-x"), body, msg_id=tenant)

    async def told() -> bool:
        return bool(heard)

    await eventually(told)
    assert heard == [b"ours"]
    await listening.stop()
    for bus in (router, outsider):
        await bus.close()


def test_a_configuration_names_no_seed(folder: Path) -> None:
    """It is public keys all through; seeds are for their owners alone."""
    seeds = [bus_users.seed_file(folder, user) for user in USERS]
    config = (folder / bus_users.CONFIG).read_text()
    assert all(seed.read_text().strip() not in config for seed in seeds)
    assert {seed.stat().st_mode & 0o777 for seed in seeds} == {0o600}
    made = json.loads(config)["accounts"]
    assert len(made[bus_users.CELL]["users"]) == len(rights.HOUSE)
    outside = [made[account]["users"] for account in bus_users.OUTSIDE.values()]
    assert [len(users) for users in outside] == [2, 3]
