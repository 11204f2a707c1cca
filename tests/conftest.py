"""How many examples properties are tried with, and what of `make test` runs side by side."""

from pathlib import Path

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling, Scheduling

FOLDER = Path(__file__).parent
CLUSTER = tuple(f"{FOLDER.name}/{part}/" for part in ("api", "chart", "e2e"))
"""Folders of tests that share the cluster: some of them stop parts of it."""

settings.register_profile("quick", max_examples=settings.default.max_examples // 10)
"""`make check` asks a tenth of what `make test` does."""


class SharedCluster(LoadFileScheduling):
    """Keeps in one process the tests of a file, which share what its fixtures make, and all that share the cluster."""

    def _split_scope(self, nodeid: str) -> str:
        return "cluster" if nodeid.startswith(CLUSTER) else str(super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling | None:
    """Return what `--dist loadfile` means here."""
    return SharedCluster(config, log) if config.getvalue("dist") == "loadfile" else None
