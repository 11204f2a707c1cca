"""Every manifest in examples/ can be planned."""

from pathlib import Path

import pytest

from modelport_cli.manifest import load_resource
from modelport_cli.rules import check_rules

EXAMPLES = sorted(Path(__file__).parents[2].joinpath("examples").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_manifests_keep_the_rules(path):
    check_rules(load_resource(path), path.name)
