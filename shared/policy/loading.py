"""A policy is read from YAML, and checked whole."""

from pathlib import Path
from typing import Any

import msgspec
import yaml
from msgspec.structs import replace
from typing_extensions import override

from shared import errors, handles, strict
from shared.policy.accounts import SIGNING, Account
from shared.policy.checks import contradictions
from shared.policy.model import Policy

POLICY_MAX_BYTES = 1_048_576
TEXT_MAX_CHARACTERS = 16_384
"""What is longer fits into no message, and stands in a policy by a slip."""


class PolicyReader(strict.YamlReader):
    """Reads a policy, whose texts fit into events and tables."""

    @override
    def compose_scalar_node(self, anchor: Any) -> yaml.ScalarNode:
        node = super().compose_scalar_node(anchor)
        problem = "a text with a NUL" if "\0" in node.value else None
        if len(node.value) > TEXT_MAX_CHARACTERS:
            problem = f"a text of more than {TEXT_MAX_CHARACTERS} characters"
        if problem is not None:
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
        return node


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
        policy = msgspec.convert(strict.read_yaml(content, PolicyReader), Policy)
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError) as error:
        raise errors.PolicyInvalid(f"the policy does not fit its schema: {error}") from None
    for complaint in contradictions(policy):
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
