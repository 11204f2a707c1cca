"""No way out for code that opens model files: a seccomp filter that the process puts on itself.

It refuses socket(2), of AF_UNIX too, behind which a user's machine has agents and container engines (socketpair(2) is
left), what could reach the network or other processes around it (io_uring, ptrace, process_vm_*, pidfd_getfd), and the
user's keyrings. It needs no privileges, holds for all threads and children, and cannot be taken off. NetworkPolicies
are a second layer that not every cluster enforces.

Numbers: linux/seccomp.h, linux/bpf_common.h, linux/audit.h, and the system call tables of x86-64 and arm64.
"""

import ctypes
import errno
import os
import platform
import struct
from typing import NamedTuple

_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_SET_MODE_FILTER = 1
_SECCOMP_FILTER_FLAG_TSYNC = 1

_LOAD, _JUMP_EQUAL, _JUMP_GREATER_OR_EQUAL, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _KILL, _REFUSE = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EACCES
_OFFSET_NUMBER, _OFFSET_ARCHITECTURE = 0, 4
_X32_BIT = 0x40000000  # the same calls under other numbers on x86-64


class _Machine(NamedTuple):
    audit: int
    seccomp: int
    refused: tuple[int, ...]
    """socket, io_uring_setup, ptrace, process_vm_readv, process_vm_writev, pidfd_getfd, add_key, request_key, keyctl."""


_MACHINES = {
    "x86_64": _Machine(0xC000003E, 317, (41, 425, 101, 310, 311, 438, 248, 249, 250)),
    "aarch64": _Machine(0xC00000B7, 277, (198, 425, 117, 270, 271, 438, 217, 218, 219)),
}


class SandboxError(RuntimeError):
    """The kernel does not take the filter; nothing that opens model files may run then."""


def enter_sandbox() -> None:
    """Refuse sockets, and what leads around them, from now on, in this process and all that it starts. Raises SandboxError."""
    machine = _MACHINES.get(platform.machine())
    if machine is None:
        raise SandboxError(f"expected one of {', '.join(_MACHINES)}, found {platform.machine()}: no filter for it")
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise SandboxError(f"prctl(PR_SET_NO_NEW_PRIVS): {os.strerror(ctypes.get_errno())}")
    code = ctypes.create_string_buffer(_program(machine))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", (len(code) - 1) // 8, ctypes.addressof(code)))
    arguments = (ctypes.c_long(_SECCOMP_SET_MODE_FILTER), ctypes.c_long(_SECCOMP_FILTER_FLAG_TSYNC), program)
    if library.syscall(ctypes.c_long(machine.seccomp), *arguments) != 0:
        raise SandboxError(f"seccomp(SET_MODE_FILTER): {os.strerror(ctypes.get_errno())}")


def _program(machine: _Machine) -> bytes:
    refused = machine.refused
    code = [
        (_LOAD, 0, 0, _OFFSET_ARCHITECTURE),
        (_JUMP_EQUAL, 1, 0, machine.audit),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _OFFSET_NUMBER),
        (_JUMP_GREATER_OR_EQUAL, len(refused) + 1, 0, _X32_BIT),
        *((_JUMP_EQUAL, len(refused) - index, 0, number) for index, number in enumerate(refused)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
    return b"".join(struct.pack("HBBI", *instruction) for instruction in code)
