"""The chart takes the values of the example repositories of Argo CD and Flux."""

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from chart.rendering import ROOT, Body, only


def _argo_cd() -> Body:
    application = yaml.safe_load((ROOT / "examples/argocd/apps/modelport.yaml").read_text())
    values: Body = application["spec"]["source"]["helm"]["valuesObject"]
    return values


def _flux() -> Body:
    values: Body = yaml.safe_load((ROOT / "examples/flux/operator/release.yaml").read_text())["spec"]["values"]
    return values


@pytest.mark.parametrize("values", [_argo_cd, _flux])
def test_the_values_render_the_operator_with_its_crd(
    values: Callable[[], dict[str, Any]], render: Callable[..., list[Body]]
) -> None:
    rendered = render(**values())
    assert only(rendered, "CustomResourceDefinition")
    assert only(rendered, "Deployment")
