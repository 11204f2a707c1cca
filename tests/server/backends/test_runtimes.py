"""Every runtime passes the backends' contract: where the tests' own environment lacks it, in that of its image."""

import os
import site
import subprocess
from pathlib import Path

import pytest

from modelport.runtimes import RUNTIMES
from modelport_cli.local.environments import find_recipe, prepare
from server.backends.runtimes import HERE, ONLY

SUITE = Path(__file__).with_name("test_backend_contract.py")
RUN = "import site, sys; site.addsitedir(sys.argv.pop(1)); import pytest; sys.exit(pytest.main(sys.argv[1:]))"
"""What tests need is added after the environment's own packages, so that it replaces none of them."""
OPTIONS = ["-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-W", "default"]
"""A runtime's warnings are its own."""


@pytest.mark.converters
@pytest.mark.timeout(1800)  # the first run installs the environment
@pytest.mark.parametrize("runtime", [name for name in RUNTIMES if name not in HERE])
def test_the_contract_holds_in_the_image_s_environment(runtime):
    python = prepare(find_recipe(RUNTIMES[runtime].image))
    command = [python, "-c", RUN, site.getsitepackages()[0], *OPTIONS, SUITE]
    ended = subprocess.run(
        command, env=os.environ | {ONLY: runtime}, cwd=SUITE.parents[3], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout[-8000:] + ended.stderr[-2000:]
    assert " passed" in ended.stdout
