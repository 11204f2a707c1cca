"""How far the filter reaches: rare families, forked and other programs, processes of the same user."""

import os
import subprocess
import sys

import pytest

PREPARE = """
import ctypes, os, socket, subprocess, sys, threading
from modelport.steps.sandbox import enter_sandbox
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65532); os.setuid(65532)  # as in a pod: no capabilities
"""


def python(code):
    ended = subprocess.run(
        [sys.executable, "-c", PREPARE + code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


@pytest.mark.parametrize("family", ["AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK", "AF_PACKET", "AF_VSOCK"])
def test_sockets_of_all_families_are_refused(family):
    kind = "SOCK_RAW" if family in {"AF_NETLINK", "AF_PACKET"} else "SOCK_STREAM"
    assert (
        python(f"""
enter_sandbox()
try:
    socket.socket(socket.{family}, socket.{kind})
except PermissionError:
    print("refused")
""")
        == "refused"
    )


def test_children_are_held_as_well():
    code = """
enter_sandbox()
child = os.fork()
if child == 0:
    try:
        socket.socket()
    except PermissionError:
        os._exit(13)
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert python(code) == "13"


def test_other_programs_are_held_as_well():
    code = """
enter_sandbox()
print(subprocess.run(["/bin/bash", "-c", ": < /dev/tcp/127.0.0.1/1"], capture_output=True, text=True).stderr)
"""
    assert "Permission denied" in python(code)


REFUSED = (
    *("socket", "io_uring_setup", "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd"),
    *("add_key", "request_key", "keyctl"),
)


@pytest.mark.parametrize("call", REFUSED)
def test_ways_around_it_are_refused(call):
    code = f"""
import errno, platform
from modelport.steps import sandbox
number = sandbox._MACHINES[platform.machine()].refused[{REFUSED.index(call)}]
library = ctypes.CDLL(None, use_errno=True)
arguments = [ctypes.c_long(value) for value in (number, 0, 0, 0, 0, 0, 0)]
enter_sandbox()
print(library.syscall(*arguments), errno.errorcode[ctypes.get_errno()])
"""
    assert python(code) == "-1 EACCES"


def test_programs_gain_no_privileges():
    code = """
enter_sandbox()
print([line.split()[1] for line in open("/proc/self/status") if line.startswith(("NoNewPrivs", "Seccomp:"))])
"""
    assert python(code) == "['1', '2']"


def test_an_unknown_machine_is_refused_instead_of_left_open():
    code = """
import platform
from modelport.steps.sandbox import SandboxError
platform.machine = lambda: "riscv64"
try:
    enter_sandbox()
except SandboxError as error:
    print(error)
"""
    assert "found riscv64" in python(code)
