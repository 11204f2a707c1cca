"""One server for all tests that leave it as it is."""

from collections.abc import Iterator

import pytest

from server.models import mlp_artifact
from server.processes import Server, serving

MODULES_OF_PROCESSES = {
    "test_connection",
    "test_datatypes",
    "test_fuzz_rest",
    "test_grpc",
    "test_grpc_drain",
    "test_grpc_patience",
    "test_http2",
    "test_http2_bounds",
    "test_jobs",
    "test_joining",
    "test_large_bodies",
    "test_lifecycle",
    "test_steps",
    "test_tracing",
}
"""What `make check` leaves to `make test`; `test_rest` stays."""


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what is not for every change, as it is collected: the marks are asked for right after."""
    if item.path.stem in MODULES_OF_PROCESSES:
        item.add_marker(pytest.mark.processes)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a ready server of the perceptron."""
    with serving(mlp_artifact(tmp_path_factory.mktemp("server") / "artifact")) as running:
        yield running
