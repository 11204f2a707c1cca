"""Conversions by the command line itself: `modelport run --json`, in the images' real environments."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest

Status = dict[str, Any]
RUN_SECONDS = 900
"""Long enough to build the environments on the first call."""


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Status]:
    """Convert a source and return the status; `status["artifact"]["uri"]` is the folder of the artifact."""
    numbers = count()

    def convert(
        manifest: dict[str, Any],
        source: Path | None = None,
        *,
        code: Path | None = None,
        options: Sequence[str] = (),
        **variables: str,
    ) -> Status:
        folder = tmp_path / f"run-{next(numbers)}"
        folder.mkdir()
        path = folder / "manifest.yaml"
        path.write_bytes(msgspec.json.encode(manifest))  # JSON is YAML
        command = [
            sys.executable,
            "-m",
            "modelport_cli",
            "run",
            path,
            "--json",
            "--output",
            folder / "artifact",
            *options,
        ]
        if source is not None:
            command += ["--source", source]
        if code is not None:
            command += ["--code", code]
        ended = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=RUN_SECONDS, env=os.environ | variables
        )
        assert ended.returncode in (0, 1), ended.stderr
        status: Status = msgspec.json.decode(ended.stdout)
        assert ("failure" in status) == (ended.returncode == 1), ended.stderr
        return status

    return convert
