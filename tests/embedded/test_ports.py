"""Ports are chosen once on a machine, however many stacks start on it at the same time."""

import subprocess
import sys

from deploy.embedded.ports import claim, free_ports

CHOOSES = "from deploy.embedded.ports import free_ports; print(*free_ports(1), flush=True); input()"


def test_a_port_that_another_process_has_chosen_is_taken() -> None:
    """Nothing listens on it yet, and it is not free any more, until that process ends."""
    with subprocess.Popen(
        (sys.executable, "-c", CHOOSES), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        port = int(other.stdout.readline())
        assert not claim(port)
        other.stdin.write("\n")
    assert claim(port)


def test_a_port_of_ours_may_be_claimed_again() -> None:
    """A stack that starts again on its ports is no stranger to them; a new server does not get them."""
    (port,) = free_ports(1)
    assert claim(port)
    assert port not in free_ports(50)
