"""The real filter in a real process: what it refuses, in the process, its threads and its children."""

import subprocess
import sys
import textwrap

import pytest

PRELUDE = "import ctypes, os, socket, subprocess, sys, threading\nfrom modelport.steps.sandbox import enter_sandbox\n"


def run(code: str) -> str:
    program = PRELUDE + textwrap.dedent(code)
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


TRY = """
def attempt(family):
    try:
        socket.socket(family).close()
        return "open"
    except PermissionError:
        return "refused"
"""


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6", "AF_NETLINK", "AF_UNIX"])
def test_sockets_are_refused(family: str) -> None:
    assert run(f"{TRY}\nenter_sandbox()\nprint(attempt(socket.{family}))") == "refused"


@pytest.mark.parametrize("family", ["AF_INET", "AF_UNIX"])
def test_without_the_filter_the_socket_opens(family: str) -> None:
    assert run(f"{TRY}\nprint(attempt(socket.{family}))") == "open"


def test_pairs_of_sockets_are_left() -> None:
    assert run("enter_sandbox()\none, other = socket.socketpair()\none.send(b'x')\nprint(other.recv(1))") == "b'x'"


def test_threads_that_were_there_before_are_held_too() -> None:
    code = """
    go, found = threading.Event(), []
    thread = threading.Thread(target=lambda: (go.wait(), found.append(attempt(socket.AF_INET))))
    thread.start()
    enter_sandbox()
    go.set()
    thread.join()
    print(found[0])
    """
    assert run(TRY + textwrap.dedent(code)) == "refused"


def test_children_inherit_it() -> None:
    code = """
    enter_sandbox()
    child = "import socket\\ntry:\\n    socket.socket()\\nexcept PermissionError:\\n    print('refused')"
    print(subprocess.run([sys.executable, "-c", child], capture_output=True, text=True).stdout.strip())
    """
    assert run(code) == "refused"


@pytest.mark.parametrize(
    "number", [425, 101, 310, 41 | 0x40000000], ids=["io_uring", "ptrace", "process_vm_readv", "x32"]
)
@pytest.mark.skipif("platform.machine() != 'x86_64'", reason="numbers of system calls of x86-64")
def test_ways_around_are_refused(number: int) -> None:
    code = f"""
    enter_sandbox()
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall(ctypes.c_long({number}), ctypes.c_long(0), 0, 0)
    print(os.strerror(ctypes.get_errno()))
    """
    assert run(code) == "Permission denied"


def test_it_holds_without_privileges() -> None:
    assert (
        run(f"{TRY}\nos.setgid(65532)\nos.setuid(65532)\nenter_sandbox()\nprint(attempt(socket.AF_INET))") == "refused"
    )
