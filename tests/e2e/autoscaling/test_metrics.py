"""What Prometheus has of a conversion that it watched: the operator's series and the server's, as dashboards ask for them."""

import json
import time
from urllib.parse import urlencode

from e2e.kube.cluster import Cluster
from e2e.sources.models import onnx_mlp
from e2e.tenants.tenant import Tenant

MODEL = onnx_mlp(52)
SECONDS = 60.0
"""Of which Prometheus needs five to ask the pods."""
_PROXY = "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1/query"


def ask(cluster: Cluster, expression: str) -> float:
    """Return the sum of what Prometheus has for an expression now; 0 where it has nothing."""
    answer = json.loads(cluster.kubectl("get", "--raw", f"{_PROXY}?{urlencode({'query': expression})}"))
    return sum(float(each["value"][1]) for each in answer["data"]["result"])


def wait_above(cluster: Cluster, expression: str, least: float) -> None:
    """Wait until an expression is more than `least`."""
    deadline = time.monotonic() + SECONDS
    while (found := ask(cluster, expression)) <= least:
        assert time.monotonic() < deadline, f"{expression}: expected more than {least:g}, found {found:g}"
        time.sleep(1)


def test_a_conversion_is_counted_and_its_jobs_are_timed(name: str, a: Tenant) -> None:
    stages = 'sum(modelport_stage_seconds_count{stage="%s",result="succeeded"})'
    conversions = 'sum(modelport_conversions_total{outcome="succeeded"})'
    asked = [conversions, *(stages % stage for stage in ("import", "convert"))]
    before = {expression: ask(a.cluster, expression) for expression in asked}
    a.apply(name, a.source(MODEL), serving={"replicas": 1})
    a.ready(name)
    for expression in asked:
        wait_above(a.cluster, expression, before[expression])
    wait_above(a.cluster, f'modelport_model_ready{{namespace="{a.namespace}",model="{name}"}}', 0)
    for kind in ("ModelConversion", "Job", "Pod", "Deployment"):
        wait_above(a.cluster, f'modelport_watch_last_event_timestamp_seconds{{kind="{kind}"}}', time.time() - 600)
