"""Which packet went to whom and what it lacks is computed from LEDGER alone."""

from deploy.story.checks.handed_over import handed_over, named_but_absent
from tests.stories.written import Ledger


def test_a_packet_that_holds_everything_misses_nothing() -> None:
    """What was told after it was given does not count."""
    ledger = Ledger()
    ledger.tell("f1", "locker", "KRA01M")
    ledger.package("p1", [("f1", "locker", "KRA01M")])
    ledger.add("contact.accepted", packet_id="p1", agent="piotr")
    ledger.tell("f2", "colour", "red")
    assert ledger.missing == []


def test_a_fact_told_before_the_acceptance_is_missed() -> None:
    """The packet is measured at the event that names it, not at its own place."""
    ledger = Ledger()
    ledger.package("p1", [])
    ledger.tell("f1", "locker", "KRA01M")
    ledger.add("contact.accepted", packet_id="p1", agent="piotr")
    assert ledger.missing == ["locker"]


def test_a_corrected_fact_must_show_its_new_value() -> None:
    """An old value is as bad as none."""
    ledger = Ledger()
    ledger.tell("f1", "locker", "KRA01M")
    ledger.add("fact.corrected", {"value": "KRA02M"}, fact_id="f1", name="locker")
    ledger.package("p1", [("f1", "locker", "KRA01M")])
    ledger.add("transfer.accepted", packet_id="p1", agent="ewa")
    assert ledger.missing == ["locker"]


def test_a_fact_that_nobody_told_is_wrong() -> None:
    """A packet must not make facts up."""
    ledger = Ledger()
    ledger.package("p1", [("f9", "colour", "red")])
    ledger.add("contact.accepted", packet_id="p1", agent="piotr")
    assert ledger.missing == ["colour"]


def test_facts_beyond_the_limit_may_be_counted() -> None:
    """Beyond the packet's limit a count is enough, and a count too low is not."""
    for more, missing in ((1, []), (0, ["locker"])):
        ledger = Ledger()
        ledger.tell("f1", "locker", "KRA01M")
        ledger.package("p1", [], more=more)
        ledger.add("contact.accepted", packet_id="p1", agent="piotr")
        assert ledger.missing == missing


def test_packets_are_listed_by_who_was_given_them() -> None:
    """Offers, acceptances, switches, call-backs, and what is opened again; a switch in a queue is given to nobody."""
    ledger = Ledger()
    ledger.package("p1", [])
    ledger.add("contact.offered", packet_id="p1", agent="piotr")
    ledger.add("channel.switched", packet_id="p1", to_owner=None)
    ledger.add("channel.switched", packet_id="p1", to_owner="ewa")
    ledger.add("callback.reached", packet_id="p1", agent="marek")
    ledger.add("conversation.reopened", packet_id="p1", agent="ola")
    found = [(each.to, each.how) for each in handed_over(ledger.copy)]
    given = [("piotr", "offered"), ("ewa", "switched"), ("marek", "called_back")]
    assert found == [*given, ("ola", "reopened")]


def test_a_packet_that_is_named_and_not_there_is_found() -> None:
    """An event must not name what LEDGER does not hold."""
    ledger = Ledger()
    ledger.add("transfer.requested", packet_id="p1")
    assert named_but_absent(ledger.copy) == ["p1"]


def test_the_hash_is_of_the_bytes_as_stored() -> None:
    """A packet whose bytes are not its hash can be told from a sound one."""
    ledger = Ledger()
    ledger.package("p1", [("f1", "locker", "KRA01M")])
    packet = ledger.copy.packets["p1"]
    assert packet.sha256 == packet.claimed_sha256
    assert packet.content.startswith(b'{"facts":')
