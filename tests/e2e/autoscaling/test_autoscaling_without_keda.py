"""Where KEDA is missing the status says so, the model serves all the same, and KEDA is found once it is there."""

from e2e.autoscaling.keda import uninstalled
from e2e.sources.models import onnx_mlp
from e2e.tenants.conversions import Body, condition, is_observed
from e2e.tenants.tenant import Tenant
from modelport.api.reasons import Reason

SCALING = {"minReplicas": 1, "maxReplicas": 2, "requestsInFlight": 4}


def _is_without_keda(body: Body | None) -> bool:
    return is_observed(body) and condition(body, "Autoscaled").get("reason") == Reason.KEDA_NOT_INSTALLED


def _is_autoscaled(body: Body | None) -> bool:
    return is_observed(body) and condition(body, "Autoscaled").get("status") == "True"


def test_without_keda_the_status_says_what_to_install(name: str, a: Tenant) -> None:
    model = onnx_mlp(54)
    with uninstalled(a.cluster):
        a.apply(name, a.source(model), serving={"autoscaling": SCALING})
        a.ready(name)
        body = a.wait(name, _is_without_keda, what="KedaNotInstalled")
        assert condition(body, "Autoscaled")["status"] == "False"
        assert "KEDA" in condition(body, "Autoscaled")["message"]
        a.check(name, model)
    a.look_again(name)
    a.wait(name, _is_autoscaled, what="Autoscaled")
    assert a.cluster.get("ScaledObject", name, a.namespace)
