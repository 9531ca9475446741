"""Every name of a policy fits the subjects that are built from it; one that does not is refused with the policy."""

import pytest

from shared import aggregates, policy, streams, subjects
from shared.errors import PolicyInvalid

NAME_MAX_CHARACTERS = 32


def text(account: str, *, name: str = "n" * NAME_MAX_CHARACTERS) -> bytes:
    """A policy whose names are as long as they may be."""
    return (
        f"tenant: {name}\nqueues: {{{name}: {{title: Q}}}}\nagents: {{{name}: {{name: N, queues: [{name}]}}}}\n"
        f"accounts: {{{account}: {{queue: {name}}}}}\n"
    ).encode()


@pytest.mark.parametrize("channel", ["twilio_voice", "chat", "email", "form"])
def test_the_longest_account_that_is_taken_fits_every_subject(channel: str) -> None:
    """One more character and the aggregate of its unreadable deliveries could not be written."""
    longest = subjects.TOKEN_MAX_CHARACTERS - len(f"{channel}-")
    loaded = policy.parse(text(f"{channel}/{'a' * longest}"))
    (account,) = (each.partition("/")[2] for each in loaded.accounts)
    (person,), (queue,) = loaded.agents, loaded.queues
    subjects.raw(loaded.tenant, channel, account)
    subjects.ledger(loaded.tenant, aggregates.account(channel, account))
    subjects.ledger(loaded.tenant, aggregates.AGENT.of(person))
    subjects.screen(loaded.tenant, f"queue-{queue}")
    assert len(streams.ingest_normalise(loaded.tenant, channel, account)) <= 255
    with pytest.raises(PolicyInvalid, match=f"account {channel}/a+: longer than {longest}"):
        policy.parse(text(f"{channel}/{'a' * (longest + 1)}"))


def test_a_longer_name_of_anything_else_is_refused() -> None:
    """Tenants, queues and agents have at most 32 characters."""
    with pytest.raises(PolicyInvalid, match="schema"):
        policy.parse(text("chat/shop", name="n" * (NAME_MAX_CHARACTERS + 1)))


@pytest.mark.parametrize("title", ['"a\\0b"', "x" * 20_000])
def test_a_text_that_no_event_can_hold_is_refused(title: str) -> None:
    """It would be refused by the ledger or the tables, one customer later."""
    with pytest.raises(PolicyInvalid, match="a text "):
        policy.parse(
            f"tenant: t\nqueues: {{q: {{title: {title}}}}}\nagents: {{}}\naccounts: {{}}\n".encode()
        )


def test_a_number_that_no_event_can_hold_is_refused() -> None:
    """A version is made of the policy's JSON, in which a number has an end."""
    rule = f"{{name: r, event: message.received, when: {{fact.x: {2**70}}}, do: {{label: [x]}}}}"
    with pytest.raises(PolicyInvalid, match="schema"):
        policy.parse(text("chat/shop") + f"rules: [{rule}]\n".encode())
