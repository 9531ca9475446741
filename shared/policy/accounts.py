"""One entry point each: a dialled number, a page's chat, a mailbox, a form."""

from typing import Annotated, Literal

from msgspec import Meta

from shared import events
from shared.policy.needs import Language, Level, PrioritySeconds
from shared.strict import Name, Seconds, Strict

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


SIGNING = "signing"
"""What a channel calls the secret that its deliveries are signed with."""


class FactRule(Strict, frozen=True, kw_only=True):
    """What a menu digit or a form field says. `value`: for a digit, its meaning in words."""

    fact: Name
    value: str | None = None


class MenuRule(FactRule, frozen=True, kw_only=True):
    """What a menu digit says. `queue`: where the call waits from then on; `skills`: what whoever takes it must be able
    to do; `callback`: she need not wait on the line: she is called back, as early as if she had waited; `reply`: what a
    voice door answers to it, instead of what follows the menu."""

    queue: Name | None = None
    skills: dict[Name, Level] = {}
    callback: bool = False
    reply: str | None = None


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
    `mapping`: what is told of a call -> what its provider calls that in this account; `skills`: what whoever takes a
    contact must be able to do, beside what its queue asks; `language`: what is spoken here, where the customer's own
    is not known; `priority_seconds`: so much ahead of others its contacts stand.
    """

    queue: Name
    region: str | None = None
    secrets: dict[Name, str] = {}
    secret: str | None = None
    address: str | None = None
    title: str | None = None
    menu: dict[str, MenuRule] = {}
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
    skills: dict[Name, Level] = {}
    language: Language | None = None
    priority_seconds: PrioritySeconds = 0
