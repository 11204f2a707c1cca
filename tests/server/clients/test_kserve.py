"""KServe's own client, in an environment of its own: it needs older libraries than the operator does."""

import subprocess
from pathlib import Path

import msgspec
import numpy as np
import pytest
from serving.programs import provide_environment

from server.models import scores

SCRIPT = Path(__file__).with_name("kserve_client.py")
FEATURES = np.array([[1, 2, 3, 4], [0.5, 0, -1, 9]], np.float32)


@pytest.mark.clients
def test_kserve_s_client_over_rest_and_grpc(server):
    python = provide_environment("kserve") / "python"
    command = [str(python), str(SCRIPT), str(server.port), str(server.grpc_port)]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=120).stdout
    answers = [msgspec.json.decode(line) for line in told.splitlines()]
    assert len(answers) == 4
    for answer in answers:
        np.testing.assert_allclose(np.reshape(answer, (2, 3)), scores(FEATURES), rtol=1e-4, atol=1e-6)
