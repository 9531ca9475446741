"""Commands from the bus: read, decide, append, answer."""

from dataclasses import replace

from services.router import registrations
from services.router.cases import Cases
from services.router.domain import confirm, facts, folds, recipients
from services.router.domain.announcing import AnnouncementCommand
from services.router.domain.counter import recorded_contact
from services.router.domain.decide import decide
from services.router.domain.decision import Loaded, Origin
from services.router.domain.parking import OperatorCommand, journal_of
from services.router.parking import Parking
from services.router.resolving import Resolving
from shared import (
    aggregates,
    commands,
    deciding,
    errors,
    events,
    memory,
    requests,
    subjects,
)
from shared.policy import Policy
from shared.refusals import OneAnswer, Refusals


class _Repeated(errors.TellonceError):
    """Internal: this command was carried out before. It leaves this file as the reply of that time."""

    code = "command.repeated"
    sentence = "the command was carried out before"

    def __init__(self, seen: memory.RememberedCommand) -> None:
        super().__init__()
        self.seen = seen


class Commands:
    """Carries out commands for the tenants of this router."""

    def __init__(self, cases: Cases, parking: Parking, refusals: Refusals) -> None:
        self._cases = cases
        self._parking = parking
        self._answer = OneAnswer(refusals)

    async def handle(self, verb: str, tenant: str, body: bytes) -> commands.Done:
        """Return the reply to a command; the same command again gets the same reply.

        Raises: TellonceError with the code that says why not.
        """
        command = requests.read_command(verb, body)
        if not subjects.is_token(_actor(command)):
            raise errors.CommandUnreadable("the actor is no name")
        if not isinstance(command, commands.ParkWork):
            self._cases.policies.of(tenant)
        return await self._answer.to(tenant, command, lambda: self._carry_out(tenant, command))

    async def _carry_out(self, tenant: str, command: commands.Command) -> commands.Done:
        cases, sha256 = self._cases, requests.sha256_of(command)
        origin = cases.origin_of_any(tenant, command.command_id, command.actor, cause_sha256=sha256)

        async def load(reading: deciding.Reading) -> Loaded:
            return await self._load(reading, command, origin)

        def decide_once(loaded: Loaded) -> list[events.AnyEvent]:
            _check_new(loaded, command, origin)
            return decide(loaded, command, origin)

        try:
            await self._prepare(tenant, command, origin)
            changed = await cases.change(tenant, load, decide_once)
        except _Repeated as repeated:
            return _done(repeated.seen)
        return _done(_written(changed, command))

    async def _prepare(self, tenant: str, command: commands.Command, origin: Origin) -> None:
        """Do what comes before the decision of an operator's command; nothing for one that is not new.

        Raises: as `_check_new`, and what `Parking` refuses.
        """
        if not isinstance(command, commands.ParkedCommand | commands.RejectEntry):
            return
        reading = deciding.Reading(self._cases.deciding, tenant, leader=True)
        _check_new(await self._load(reading, command, origin), command, origin)
        if isinstance(command, commands.ParkedCommand):
            await self._parking.check_unread(tenant, command)
        if isinstance(command, commands.RetryParked):
            await self._parking.take_up(tenant, command)
        if isinstance(command, commands.RejectEntry):
            await self._parking.check_entry(tenant, command)

    async def _load(
        self, reading: deciding.Reading, command: commands.Command, origin: Origin
    ) -> Loaded:
        """Load what a command looks at: its conversation, the customer, and every agent it may touch."""
        if isinstance(command, commands.RegisterCustomer):
            return await registrations.load(self._cases, reading, command, origin)
        if isinstance(command, AnnouncementCommand):
            return Loaded(announcements=await self._cases.announcements(reading))
        if isinstance(command, OperatorCommand):
            return Loaded(journal=await _journal(reading, command))
        if isinstance(command, commands.RecordContact):
            return await self._load_contact(reading, command, origin)
        if not isinstance(command, commands.ConversationCommand):
            return Loaded(agents=await self._cases.agents(reading, [_actor(command)]))
        if not subjects.is_token(command.conversation):
            raise errors.ConversationUnknown()
        asked = [_actor(command), *([command.to] if isinstance(command, commands.Assign) else ())]
        loaded = await self._cases.load(reading, command.conversation, asked)
        return await self._load_people(reading, loaded, command, origin.policy)

    async def _load_contact(
        self, reading: deciding.Reading, command: commands.RecordContact, origin: Origin
    ) -> Loaded:
        """Load where a contact belongs that an agent records. Raises: as `recorded_contact`."""
        event = recorded_contact(command, origin)
        resolving = Resolving(self._cases, origin, event)
        loaded = await resolving.load(reading)
        agents = loaded.agents | await self._cases.agents(reading, [_actor(command)])
        return replace(loaded, agents=agents, reported=event, place=resolving.place)

    async def _load_people(
        self, reading: deciding.Reading, loaded: Loaded, command: commands.Command, policy: Policy
    ) -> Loaded:
        """Load whose the handles and numbers are that a command is about."""
        match command:
            case commands.SendMessage():
                to = recipients.recipient(policy, loaded, command.channel)
                resolved = await self._cases.handles(reading, [to] if to else [])
                return replace(loaded, handles=resolved)
            case commands.RecordFact() if facts.names_matter(policy, command.fact):
                number = facts.number_handle(command.fact, command.value)
                return replace(loaded, numbers=await self._cases.handles(reading, [number]))
            case commands.ConfirmCustomer() if subjects.is_token(command.customer):
                contact_id = confirm.named_contact(loaded.conversation, command)
                contact = loaded.conversation.contacts.by_id.get(contact_id or events.ContactId(""))
                resolved = await self._cases.handles(reading, contact.handles if contact else ())
                whose = await reading.load(folds.CUSTOMER, command.customer)
                loaded = replace(loaded, handles=resolved, whose=whose)
                return await self._cases.with_matter(reading, loaded)
            case _:
                return loaded


async def _journal(reading: deciding.Reading, command: OperatorCommand) -> folds.Journal:
    """Load the journal that a command is recorded on. Raises: ParkedUnknown when its kind has none."""
    prefix, name = aggregates.split(journal_of(command))
    if prefix not in folds.JOURNALS or not subjects.is_token(name):
        raise errors.ParkedUnknown()
    return await reading.load(folds.JOURNALS[prefix], name)


def _check_new(loaded: Loaded, command: commands.Command, origin: Origin) -> None:
    """Raises: _Repeated, CommandIdReused, CommandTooOld, CommandTooNew."""
    known, older = _memory(loaded, command), requests.sha256_before_verbs(command)
    seen = memory.recall(known, command.command_id, origin.cause_sha256, older)
    if seen is not None:
        raise _Repeated(seen)
    requests.check_age(command.command_id, command.issued_at, origin.recorded)


def _memory(loaded: Loaded, command: commands.Command) -> memory.Memory:
    """Return where a command's id is remembered: with what it is about, else with the agent who gave it."""
    if isinstance(command, OperatorCommand):
        return loaded.journal.seen
    if isinstance(command, AnnouncementCommand):
        return loaded.announcements.seen if loaded.announcements else {}
    if isinstance(command, commands.RegisterCustomer):
        return loaded.customer.seen
    if isinstance(command, commands.ConversationCommand):
        return loaded.conversation.seen
    return loaded.agent(_actor(command)).seen


def _written(changed: deciding.Changed, command: commands.Command) -> memory.RememberedCommand:
    """Return what a command wrote to the aggregate that remembers it."""
    own = changed.events[0].aggregate
    if isinstance(command, commands.ConversationCommand):
        own = aggregates.CONVERSATION.of(command.conversation)
    elif isinstance(command, commands.RecordContact):
        own = aggregates.AGENT.of(_actor(command))
    elif isinstance(command, OperatorCommand):
        own = journal_of(command)
    seen: memory.RememberedCommand = changed.standing[own].state.seen[command.command_id]
    return seen


def _actor(command: commands.Command) -> events.AgentId:
    return events.AgentId(command.actor.partition(":")[2])


def _done(seen: memory.RememberedCommand) -> commands.Done:
    return commands.Done(
        events=list(seen.events), position=max(each.sequence for each in seen.events)
    )
