"""Compile what each request goes through: typed Python by mypyc, lists of numbers by the C compiler.

Images do it when they are built, `make compiled` for the tests. Nothing depends on it but speed: without the compiled
modules, the same code is interpreted. Modules that define msgspec's structs stay as they are, which mypyc does not know, and
so do backends, so that they may be any Python.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

HOT = (
    "dataplane/calls",
    "dataplane/plane",
    "dataplane/shapes",
    "execution/adapting",
    "execution/running",
    "grpc/application",
    "grpc/frames",
    "grpc/http2/connection",
    "grpc/http2/exchange",
    "grpc/http2/framing",
    "grpc/http2/hpack",
    "grpc/http2/receiver",
    "grpc/http2/requests",
    "grpc/http2/sender",
    "grpc/http2/server",
    "grpc/messages/codec",
    "grpc/messages/contents",
    "grpc/messages/wire",
    "grpc/metadata",
    "grpc/service",
    "observation/metrics",
    "observation/observers",
    "protocol/bodies",
    "protocol/cutting",
    "protocol/datatypes",
    "protocol/json_data",
    "protocol/payloads",
    "rest/application",
    "rest/connection",
    "rest/large_bodies",
    "rest/server",
    "strings",
    "transport/listener",
    "transport/turns",
)
NUMBERS = Path("modelport_server/protocol/numbers.c")
CFLAGS = ("-O3", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC")


def compile_numbers(folder: Path) -> None:
    """Compile the reader of lists of numbers, beside its source."""
    source = folder / NUMBERS
    subprocess.run(["cc", *CFLAGS, "-o", str(source.with_name("_numbers.so")), str(source)], check=True)


def compile_modules(folder: Path, python: str) -> None:
    """Compile the modules of the server, beside their sources; `python` has what they import."""
    from mypyc.build import mypycify
    from setuptools import setup

    os.chdir(folder)
    os.environ["MYPYPATH"] = str(folder)
    modules = [f"modelport_server/{name}.py" for name in HOT]
    extensions = mypycify(
        ["--strict", "--ignore-missing-imports", f"--python-executable={python}", *modules],
        group_name="modelport_server",
        opt_level="3",
        debug_level="0",
    )
    setup(
        name="modelport-server",
        packages=[],
        ext_modules=extensions,
        script_args=["--quiet", "build_ext", "--inplace"],
    )
    shutil.rmtree(folder / "build")


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Compile what each request goes through, in place.")
    parser.add_argument("folder", type=Path, help="folder with the packages modelport_server and modelport")
    parser.add_argument(
        "--python", default=sys.executable, help="interpreter with the server's dependencies (this one)"
    )
    parser.add_argument(
        "--numbers", action="store_true", help="only the reader of lists of numbers, which takes a second"
    )
    options = parser.parse_args()
    folder = options.folder.resolve()
    compile_numbers(folder)
    if not options.numbers:
        compile_modules(folder, options.python)
    return 0


if __name__ == "__main__":
    sys.exit(main())
