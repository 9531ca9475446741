"""Has temporary files made in memory: nothing that a test throws away is worth a disk.

Servers sync every message and every file of a new stream as they are deployed; on a disk that is a quarter of the run,
for power that no test takes away. The switches stay as they are deployed.
"""

import os
import shutil
import tempfile
from pathlib import Path

FOLDER = Path("/dev/shm")
ROOM_BYTES = 2 * 1024**3
"""Five times what a run held at once; containers often have 64 MiB."""


def use() -> None:
    """Let `tempfile`, pytest and what the tests start use it, unless TMPDIR says where; a small memory stays free."""
    if "TMPDIR" in os.environ or not os.access(FOLDER, os.W_OK | os.X_OK):
        return
    if min(shutil.disk_usage(FOLDER).free, _available_bytes()) < ROOM_BYTES or not _runs_programs():
        return
    os.environ["TMPDIR"] = str(FOLDER)
    tempfile.tempdir = None  # asked for anew


def _runs_programs() -> bool:
    """Whether a program may lie there: some tests write one."""
    return not os.statvfs(FOLDER).f_flag & os.ST_NOEXEC


def _available_bytes() -> int:
    """Return how much memory is free or can be freed."""
    lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    return int(lines["MemAvailable"].split()[0]) * 1024
