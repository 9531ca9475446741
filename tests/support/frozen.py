"""Processes that stand still: alive for the kernel, silent for everybody else."""

import contextlib
import os
import signal
from collections.abc import Iterator


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
            os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        yield
    finally:
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
