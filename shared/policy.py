"""A tenant's policy: queues, agents, accounts, patterns and times, from one YAML file.

Policy is data. It is checked whole when it is loaded; every decision names its version.
"""

import hashlib
import re
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import yaml
from msgspec import Meta
from msgspec.structs import replace

from shared import (
    aggregates,
    errors,
    events,
    exchange_address,
    handles,
    mailbox_address,
    oauth,
    strict,
    subjects,
    submission_address,
)
from shared.overload import Overload
from shared.overload import complaints as overload_complaints
from shared.strict import Name, Seconds, Strict

Transports = Annotated[tuple[Name, ...], Meta(min_length=1, max_length=8)]
CallField = Literal[
    "call",
    "caller",
    "dialled",
    "direction",
    "outcome",
    "duration",
    "began",
    "recording",
    "has_recording",
]
"""What is told of a call: its id, who calls, what was dialled, which way, how it ended, how long they spoke in seconds,
when it began, where its recording is, whether it has one."""
POLICY_MAX_BYTES = 1_048_576
SIGNING = "signing"
"""What a channel calls the secret that its deliveries are signed with."""


class Queue(Strict, frozen=True, kw_only=True):
    """Where contacts wait.

    `supervisor`: who is told when nobody acknowledges; `transports`: how its agents are told.
    """

    title: str
    supervisor: Name | None = None
    transports: Transports | None = None


class Agent(Strict, frozen=True, kw_only=True):
    """A person who takes work.

    `slots`: conversations at once; `queues`: in which she is offered contacts; `transports`: how she is told.
    """

    name: str
    queues: list[Name]
    teams: list[Name] = []
    slots: Annotated[int, Meta(ge=1, le=100)] = 3
    transports: Transports | None = None


class FactRule(Strict, frozen=True, kw_only=True):
    """What a menu digit or a form field says. `value`: for a digit, its meaning in words."""

    fact: Name
    value: str | None = None


class StrangerLimits(Strict, frozen=True, kw_only=True):
    """How many conversations chats may open in a minute for visitors whom the shop does not vouch for.

    Of one address (one /64 of IPv6), and of the whole account. After a quiet minute as many may come at once.
    """

    address_per_minute: Annotated[int, Meta(ge=1, le=6_000)] = 20
    account_per_minute: Annotated[int, Meta(ge=1, le=60_000)] = 200


class AwayRule(Strict, frozen=True, kw_only=True):
    """How a message goes on that nobody says has reached the customer.

    `by`: the account of e-mail that it goes from, `email/<name>`; `after_seconds`: how long her own way has.
    """

    by: str
    after_seconds: Seconds = 120.0


class Account(Strict, frozen=True, kw_only=True):
    """One entry point: a dialled number, a page's chat, a mailbox, a form.

    `queue`: where its contacts wait; `region`: the tenant's, unless it has its own; `topics`: queue by form topic;
    `secrets`: what the channel calls each of its secrets -> the name of the secret; `secret`: short for the one that it
    calls `signing`; `address`: own address, never a customer; `menu`, `fields`: what digits and form fields mean;
    `reply`: what the door answers: a voice door as TwiML, a messaging door as a welcome; `title`: the sender's name or
    default subject; `strangers`: of a chat; `reaches`: the kind of handle that is written to, where it is not the kind
    of `address`; `api`: the base of the provider's addresses, where it is not the public one;
    `imap`: the mailbox that is read, `imaps://host/folder`; `oauth`: who gives out its access tokens, `google`,
    `microsoft` or the address of a token endpoint, where it takes no password; `smtp`: the server by which its answers
    leave, `smtps://host`, where it is not the house's own; `ami`, `ari`: the exchange that is
    listened to,
    `tls://host:port` or `https://host:port/ari`; `recordings`: the base under which it gives out its own files;
    `when_away`: where the provider reports what has reached the customer, another way for what has not;
    `poll`: how often the provider's list of calls is asked for, in seconds;
    `mapping`: what is told of a call -> what its provider calls that in this account.
    """

    queue: Name
    region: str | None = None
    secrets: dict[Name, str] = {}
    secret: str | None = None
    address: str | None = None
    title: str | None = None
    menu: dict[str, FactRule] = {}
    fields: dict[str, FactRule] = {}
    topics: dict[str, Name] = {}
    reply: str | None = None
    reaches: events.HandleKind | None = None
    api: str | None = None
    imap: str | None = None
    oauth: str | None = None
    smtp: str | None = None
    ami: str | None = None
    ari: str | None = None
    recordings: str | None = None
    strangers: StrangerLimits = StrangerLimits()
    when_away: AwayRule | None = None
    poll: Annotated[float, Meta(ge=1, le=86_400)] | None = None
    mapping: dict[CallField, Annotated[str, Meta(min_length=1, max_length=128)]] = {}


class Pattern(Strict, frozen=True, kw_only=True):
    """Text that states a fact. The first group is the value, else the whole match. `joins`: it names a matter."""

    fact: Name
    pattern: str
    joins: bool = False


class Integration(Strict, frozen=True, kw_only=True):
    """Another program that uses the bus for this tenant, as itself. `commands`, `queries`: what it may give and ask."""

    commands: tuple[Name, ...] = ()
    queries: tuple[Name, ...] = ()


class TimeLimits(Strict, frozen=True, kw_only=True):
    """How long what may take, in seconds."""

    offer_seconds: Seconds = 30.0
    transfer_seconds: Seconds = 120.0
    callback_seconds: Seconds = 900.0
    join_within_seconds: Seconds = 259_200.0
    notification_seconds: Seconds = 120.0


class Policy(Strict, frozen=True, kw_only=True):
    """All of it.

    `region`: ISO 3166 code of the country whose national phone numbers are read; without one only international ones
    are; `proof`: what a medium's own word is worth here, where it is not the default (see `shared.proof`);
    `named_matters`: media in which an order or parcel number leads into the one open conversation that holds it,
    whoever names it, unless the writer is known to be somebody else; `never_identifies`: patterns of handles, in their
    normal form, that belong to no single person; `transports`: how agents are told, where neither the agent nor the
    queue has its own. notify refuses to start with one that it does not have; `reply_secrets`: the keys that mark our
    mails, so that an answer proves that it is one, the newest first; `unmarked_replies`: whether an answer without a
    mark still leads whoever is in the matter there, or names a message that was sent from it; `lanes`: the lane in
    which a medium's contacts are decided, where it is not the usual one (see `shared.lanes`); `integrations`: other
    programs, by the name under which they use the bus (see `shared.callers`).
    """

    tenant: Name
    region: str | None = None
    queues: dict[Name, Queue]
    agents: dict[Name, Agent]
    accounts: dict[str, Account]
    patterns: list[Pattern] = []
    proof: dict[events.Medium, events.Proof] = {}
    named_matters: tuple[events.Medium, ...] = ("mail", "message")
    never_identifies: list[str] = []
    transports: Transports = ("screen",)
    times: TimeLimits = TimeLimits()
    lookup_secret: str = "LOOKUP_KEY"
    reply_secrets: Annotated[tuple[str, ...], Meta(max_length=2)] = ()
    unmarked_replies: bool = True
    lanes: dict[events.Medium, events.Lane] = {}
    overload: Overload = Overload()
    integrations: dict[Name, Integration] = {}

    @property
    def version(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of the policy's canonical form."""
        canonical = msgspec.json.encode(self, order="deterministic")
        return hashlib.sha256(canonical).hexdigest()[:16]

    def account(self, channel: str, account: str) -> Account | None:
        return self.accounts.get(f"{channel}/{account}")

    def agents_of_queue(self, queue: str) -> list[str]:
        """Return the agents who are offered contacts of a queue, by id."""
        return sorted(name for name, agent in self.agents.items() if queue in agent.queues)

    def agents_of_team(self, team: str) -> list[str]:
        return sorted(name for name, agent in self.agents.items() if team in agent.teams)

    def teams(self) -> set[str]:
        return {team for agent in self.agents.values() for team in agent.teams}


def load(path: str | Path) -> Policy:
    """Return the checked policy in a YAML file. Raises: PolicyInvalid, which says where and why."""
    return parse(content_of(path))


def content_of(path: str | Path) -> bytes:
    """Return the text of a policy file. Raises: PolicyInvalid."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise errors.PolicyInvalid(f"the policy file cannot be read: {error.strerror}") from None
    if len(content) > POLICY_MAX_BYTES:
        raise errors.PolicyInvalid("the policy file is too large", limit_bytes=POLICY_MAX_BYTES)
    return content


def parse(content: bytes) -> Policy:
    """Return the checked policy in YAML text. Raises: PolicyInvalid."""
    try:
        policy = msgspec.convert(strict.read_yaml(content), Policy)
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError) as error:
        raise errors.PolicyInvalid(f"the policy does not fit its schema: {error}") from None
    for complaint in _contradictions(policy):
        raise errors.PolicyInvalid(f"the policy contradicts itself: {complaint}")
    accounts = {
        name: _settled(account, account.region or policy.region)
        for name, account in policy.accounts.items()
    }
    return replace(policy, accounts=accounts)


def _settled(account: Account, region: str | None) -> Account:
    """Return an account with its region, all secrets in `secrets`, and its own address as handles are compared.

    What is neither a phone number nor an e-mail address (a short code, a sender's name) stays as it is. So does a
    provider's id of ours, though its digits may be those of a number.
    """
    own = account.address
    if account.reaches != "account":
        own = handles.email(own) or handles.phone(own, region) or own
    signing = {} if account.secret is None else {SIGNING: account.secret}
    secrets = {**signing, **account.secrets}
    return replace(account, region=region, address=own, secrets=secrets, secret=None)


def _contradictions(policy: Policy) -> list[str]:
    """Return what names something that is not there, in reading order; [] when nothing does."""
    found = []
    for name, agent in policy.agents.items():
        found += [
            f"agent {name}: no queue {queue}"
            for queue in agent.queues
            if queue not in policy.queues
        ]
    for name, queue in policy.queues.items():
        if queue.supervisor is not None and queue.supervisor not in policy.agents:
            found.append(f"queue {name}: no agent {queue.supervisor}")
    for name, account in policy.accounts.items():
        channel, slash, short = name.partition("/")
        if not slash or not subjects.is_token(channel) or not subjects.is_token(short):
            found.append(f"account {name}: not <channel>/<name>")
        elif not subjects.is_token(aggregates.split(aggregates.account(channel, short))[1]):
            longest = subjects.TOKEN_MAX_CHARACTERS - len(f"{channel}-")
            found.append(f"account {name}: longer than {longest} characters after the channel")
        wanted = [account.queue, *account.topics.values()]
        found += [
            f"account {name}: no queue {queue}" for queue in wanted if queue not in policy.queues
        ]
        if account.secret is not None and SIGNING in account.secrets:
            found.append(f"account {name}: both secret and secrets.{SIGNING}")
    writers = [name for name in policy.accounts if _sends_mail(policy, name)]
    found += overload_complaints(policy.overload, policy.queues, writers)
    found += _misread(policy)
    for pattern in [*(each.pattern for each in policy.patterns), *policy.never_identifies]:
        try:
            re.compile(pattern)
        except (re.error, RecursionError, OverflowError) as error:
            found.append(f"pattern {pattern}: {error}")
    return found


def _misread(policy: Policy) -> list[str]:
    """Return which regions and own addresses of accounts are none."""
    regions = [policy.region, *(account.region for account in policy.accounts.values())]
    unknown = sorted({each for each in regions if each and not handles.is_region(each)})
    return (
        [f"region {each}: no country of ISO 3166" for each in unknown]
        + [
            f"account {name}: the address is no e-mail address"
            for name, account in policy.accounts.items()
            if "@" in (account.address or "") and not handles.email(account.address)
        ]
        + [
            f"account {name}: imap: {complaint}"
            for name, account in policy.accounts.items()
            if account.imap is not None and (complaint := mailbox_address.complaint(account.imap))
        ]
        + [
            f"account {name}: oauth: {complaint}"
            for name, account in policy.accounts.items()
            if account.oauth is not None and (complaint := oauth.complaint(account.oauth))
        ]
        + [
            f"account {name}: smtp: {complaint}"
            for name, account in policy.accounts.items()
            if account.smtp is not None
            and (complaint := submission_address.complaint(account.smtp))
        ]
        + [
            f"account {name}: when_away: {way.by} is no account of e-mail with an address"
            for name, account in policy.accounts.items()
            if (way := account.when_away) is not None and not _sends_mail(policy, way.by)
        ]
        + [
            f"account {name}: {complaint}"
            for name, account in policy.accounts.items()
            if (complaint := exchange_address.complaint(account.ami, account.ari))
        ]
    )


def _sends_mail(policy: Policy, name: str) -> bool:
    account = policy.accounts.get(name)
    return account is not None and handles.email(account.address) is not None
