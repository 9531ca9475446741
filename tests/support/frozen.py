"""Processes that stand still: alive for the kernel, silent for everybody else."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

POLL_SECONDS = 0.005


def _until_stopped(pid: int) -> None:
    try:
        os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    except ChildProcessError:  # in a container: the engine's child
        while "T (stopped)" not in Path(f"/proc/{pid}/status").read_text():
            time.sleep(POLL_SECONDS)


@contextlib.contextmanager
def frozen(*pids: int | None) -> Iterator[None]:
    """Let children of ours stand still until the block ends.

    Some of their threads run on for a while after the signal; the block begins when all have stopped.
    """
    children = [pid for pid in pids if pid is not None]
    assert len(children) == len(pids), "a process that is down cannot stand still"
    try:
        for pid in children:
            os.kill(pid, signal.SIGSTOP)
        for pid in children:
            _until_stopped(pid)
        yield
    finally:
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
