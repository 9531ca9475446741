"""A tenant's policy: queues, agents, accounts, patterns and times, from one YAML file.

Policy is data. It is checked whole when it is loaded; every decision names its version.
"""

from shared.policy.accounts import (
    Account,
    AwayRule,
    CallField,
    FactRule,
    MenuRule,
    StrangerLimits,
)
from shared.policy.before import as_before
from shared.policy.external import ExternalNumber
from shared.policy.levels import ServiceLevel, Wait
from shared.policy.lines import NextLine
from shared.policy.loading import POLICY_MAX_BYTES, content_of, load, parse
from shared.policy.model import Integration, Pattern, Policy, TimeLimits
from shared.policy.needs import Priority, Relaxation
from shared.policy.quality import Discontent, Disposition, Reviews
from shared.policy.team import Agent, Queue, Transports

__all__ = [
    "POLICY_MAX_BYTES",
    "Account",
    "Agent",
    "AwayRule",
    "CallField",
    "Discontent",
    "Disposition",
    "ExternalNumber",
    "FactRule",
    "Integration",
    "MenuRule",
    "NextLine",
    "Pattern",
    "Policy",
    "Priority",
    "Queue",
    "Relaxation",
    "Reviews",
    "ServiceLevel",
    "StrangerLimits",
    "TimeLimits",
    "Transports",
    "Wait",
    "as_before",
    "content_of",
    "load",
    "parse",
]
