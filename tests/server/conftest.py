"""One server for all tests that leave it as it is."""

from collections.abc import Iterator

import pytest

from server.models import mlp_artifact
from server.processes import Server, serving


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a ready server of the perceptron."""
    with serving(mlp_artifact(tmp_path_factory.mktemp("server") / "artifact")) as running:
        yield running
