"""Prepare a process and become the program: `launch.py PARENT_PID SIGNAL USER -- ARGV...`.

Run as a script with `python -I -S`, so it imports the standard library only.
The process id does not change: whoever kills the id of a program kills the program.

- The kernel sends SIGNAL to the program when the supervisor dies (Linux only): nothing outlives it.
- USER `same` keeps the user. The others are for Postgres, which refuses root: `ordinary` maps our
  id to an ordinary one in a user namespace, `UID:GID` becomes that user, for where namespaces are
  forbidden; it keeps of root's powers only that no folder is closed to it, where it may. No account
  is created and no mode is changed.
"""

import contextlib
import ctypes
import os
import pwd
import sys

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP = 28, 4
PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 47, 2
CAPABILITY_VERSION = 0x20080522
CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE = 2, 1
PREFERRED_USERS = ("nobody", "postgres", "daemon")
EXIT_PARENT_GONE = 71
EXIT_NOT_EXECUTABLE = 72
EXIT_USER = 73


def ordinary_user() -> tuple[int, int]:
    """User and group id of an account that is not root and has a name (initdb asks for the name)."""
    for name in PREFERRED_USERS:
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
    entry = next(entry for entry in pwd.getpwall() if entry.pw_uid != 0)
    return entry.pw_uid, entry.pw_gid


def map_into_namespace(uid: int, gid: int) -> None:
    """Appear as `uid`/`gid` in a user namespace of our own. Raises: OSError where that is forbidden."""
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "no user namespace")
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{uid} {outer_uid} 1")
    _write("/proc/self/gid_map", f"{gid} {outer_gid} 1")


def become(user: str) -> None:
    """Change the user as asked. Raises: OSError, AttributeError where there are no namespaces."""
    if user == "ordinary":
        map_into_namespace(*ordinary_user())
    elif user != "same":
        become_user(*map(int, user.split(":")))


def become_user(uid: int, gid: int) -> None:
    """Become another user, with the right to enter and read closed folders where possible. Raises: OSError.

    The binaries may lie where only root may enter: in a clone under her own home. Containers often grant no
    CAP_DAC_READ_SEARCH but the wider CAP_DAC_OVERRIDE; with neither, or without Linux, nothing is kept.
    """
    libc, linux = ctypes.CDLL(None), sys.platform == "linux"
    if linux:
        # Without this the kernel takes the power away again, and `access` would not count it.
        libc.prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    for capability in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE) if linux else ():
        header, bit = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0), 1 << capability
        if libc.capset(header, (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)) == 0:
            libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0)
            return


def die_with_parent(parent_pid: int, signal_number: int) -> None:
    """Ask the kernel for `signal_number` when the parent dies; exit now if it already has."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    if os.getppid() != parent_pid:
        sys.exit(EXIT_PARENT_GONE)


def main() -> None:
    """Set the process up as asked and replace it by the program."""
    parent_pid, signal_number, user = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    program = sys.argv[5:]
    try:
        become(user)
    except (OSError, AttributeError) as error:
        print(f"the user cannot be changed: {error}", file=sys.stderr)
        sys.exit(EXIT_USER)
    die_with_parent(parent_pid, signal_number)
    try:
        os.execv(program[0], program)
    except OSError as error:
        print(f"{program[0]} cannot be started: {error.strerror}", file=sys.stderr)
        sys.exit(EXIT_NOT_EXECUTABLE)


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


if __name__ == "__main__":
    main()
