"""The report of a played story: a JSON object that names every step, expectation and packet."""

from typing import Any

import msgspec


class StepResult(msgspec.Struct, kw_only=True):
    """`code`: `None` when it went well, else why not, stable."""

    n: int
    ok: bool
    code: str | None = None


class ExpectationResult(msgspec.Struct, kw_only=True):
    n: int
    kind: str
    ok: bool
    wanted: Any = None
    got: Any = None


class FactsTold(msgspec.Struct, kw_only=True):
    stated: int = 0


class PacketResult(msgspec.Struct, kw_only=True):
    """`sha256`: of the packet's bytes in LEDGER; `missing`: names of facts that had been told and are not in it."""

    packet_id: str
    to: str
    sha256: str
    facts: int
    missing: list[str]


class Digests(msgspec.Struct, kw_only=True):
    """Of history's rows as they stand, and of the rows of a rebuild from the ledger."""

    live: str | None = None
    rebuilt: str | None = None


class MailResult(msgspec.Struct, kw_only=True):
    """How many mails with one title arrived in the mail boxes `to`; no words of theirs."""

    to: list[str]
    title: str
    count: int


class ArrivedResult(msgspec.Struct, kw_only=True):
    """How many messages a provider took for one customer. `by`: the channel; `to`: as the provider names her."""

    by: str
    to: str
    count: int


class MessageOutcomes(msgspec.Struct, kw_only=True):
    """How many messages to customers stand in LEDGER with each outcome."""

    sent: int = 0
    failed: int = 0
    uncertain: int = 0


class Balance(msgspec.Struct, kw_only=True):
    received: int = 0
    accepted: int = 0
    duplicate: int = 0
    ignored: int = 0
    quarantined: int = 0
    parked: int = 0
    skipped: int = 0


class Report(msgspec.Struct, kw_only=True):
    """What was found. `position`: the last ledger sequence of the story."""

    story: str
    ok: bool = True
    seed: int
    position: int = 0
    steps: list[StepResult] = []
    expectations: list[ExpectationResult] = []
    facts: FactsTold = msgspec.field(default_factory=FactsTold)
    packets: list[PacketResult] = []
    mails: list[MailResult] = []
    arrived: list[ArrivedResult] = []
    messages: MessageOutcomes = msgspec.field(default_factory=MessageOutcomes)
    repeats: int = 0
    digests: Digests = msgspec.field(default_factory=Digests)
    balance: Balance = msgspec.field(default_factory=Balance)

    def step(self, n: int, code: str | None = None) -> None:
        """Note how a step ended."""
        self.steps.append(StepResult(n=n, ok=code is None, code=code))
        self.ok = self.ok and code is None

    def expectation(self, n: int, kind: str, *, ok: bool, wanted: Any, got: Any) -> None:
        """Note what was wanted and what was found."""
        self.expectations.append(ExpectationResult(n=n, kind=kind, ok=ok, wanted=wanted, got=got))

    @property
    def codes(self) -> list[str]:
        """The codes of everything that failed, in order."""
        return [step.code for step in self.steps if step.code is not None]
