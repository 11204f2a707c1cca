"""Hold a command by Landlock to its files: `python landlock.py NETWORK READS WRITES PATH… COMMAND…`.

NETWORK is 1 if it keeps TCP, else 0; READS and WRITES say how many of the paths it may read, and how many then write.
It runs by itself, in any Python, before anything of a model's: what it takes from its own process stays taken from the
command, which replaces it, and from all that the command starts. Beside files that is the right to trace others, TCP,
abstract sockets and signals to others where the kernel knows of these, and a superuser's capabilities.

Numbers: linux/landlock.h and linux/prctl.h; these system calls have one number on all machines.
"""

import ctypes
import os
import struct
import sys
from stat import S_ISDIR

OLDEST = 3
"""Version of Landlock, of Linux 6.2, that holds truncate(2), too: an older one would let any file be emptied."""
NETWORK, DEVICES, SCOPES = 4, 5, 6
"""Versions that know TCP, ioctl(2) on devices, and of Linux 6.12 signals and abstract sockets."""
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION = 1
_PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 24, 38

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_FOLDER = (1 << bit for bit in range(4))
_MAKE_CHARACTER_DEVICE, _MAKE_BLOCK_DEVICE, _TRUNCATE, _IOCTL_DEVICE = 1 << 6, 1 << 11, 1 << 14, 1 << 15
_ALL = _IOCTL_DEVICE - 1
_READ = _EXECUTE | _READ_FILE | _READ_FOLDER
_WRITE = _ALL & ~(_MAKE_CHARACTER_DEVICE | _MAKE_BLOCK_DEVICE)
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
_TCP = 1 | 2
_ABSTRACT_SOCKETS, _SIGNALS = 1, 2

_PROCESSES = ("/proc/cpuinfo", "/proc/meminfo", "/proc/stat")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")

_library = ctypes.CDLL(None, use_errno=True)


def version() -> int:
    """Return the kernel's version of Landlock, 0 where there is none."""
    return max(0, _call(_CREATE_RULESET, None, 0, _ASK_VERSION)) if sys.platform == "linux" else 0


def hold(*, reads: list[str], writes: list[str], network: bool) -> None:
    """Keep this process to these paths, those that can be reached; `network` leaves it TCP. Raises OSError."""
    known = version()
    if known < OLDEST:
        raise OSError(f"expected version {OLDEST} (Linux 6.2) or newer, found {known or 'none'}")
    files = _ALL | (_IOCTL_DEVICE if known >= DEVICES else 0)
    tcp = _TCP if known >= NETWORK and not network else 0
    scopes = (_SIGNALS | (0 if network else _ABSTRACT_SOCKETS)) if known >= SCOPES else 0
    rules = _checked(_CREATE_RULESET, struct.pack("QQQ", files, tcp, scopes), 24, 0)
    for path in (*reads, *_PROCESSES, f"/proc/{os.getpid()}"):
        _allow(rules, path, _READ)
    for path in (*writes, *_DEVICES):
        _allow(rules, path, _WRITE)
    for capability in range(64):  # the program that follows has none of them, whoever starts it
        _library.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    _library.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _checked(_RESTRICT_SELF, rules, 0)


def _allow(rules: int, path: str, access: int) -> None:
    try:
        file = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # it is not there, or out of reach: then it stays so
        return
    if not S_ISDIR(os.fstat(file).st_mode):
        access &= _OF_FILES
    _checked(_ADD_RULE, rules, 1, struct.pack("=Qi", access, file), 0)
    os.close(file)


def _checked(*arguments: bytes | int | None) -> int:
    result = _call(*arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _call(*arguments: bytes | int | None) -> int:
    result: int = _library.syscall(*(ctypes.c_long(each) if isinstance(each, int) else each for each in arguments))
    return result


if __name__ == "__main__":
    may_network, readable, own = map(int, sys.argv[1:4])
    paths, command = sys.argv[4 : 4 + readable + own], sys.argv[4 + readable + own :]
    try:
        hold(reads=paths[:readable], writes=paths[readable:], network=bool(may_network))
    except OSError as error:
        sys.exit(str(error))
    os.execv(command[0], command)  # noqa: S606 - it was given to be run
