"""What the chart gives to other tools: monitors that find the pods, alerts as promtool judges them, dashboards."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from prometheus_client import REGISTRY, CollectorRegistry

from chart.rendering import CHART, ROOT, Body, only
from modelport_operator.metrics import Metrics as OperatorMetrics
from modelport_operator.names import labels
from modelport_server.observation.metrics import Metrics as ServerMetrics

Render = Callable[..., list[Body]]
Promtool = Callable[..., str]
RULES = CHART / "monitoring/rules.yaml"
DASHBOARDS = sorted((CHART / "monitoring/dashboards").glob("*.json"))
ENABLED = {
    "podMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "prometheusRule": {"enabled": True, "docsURL": "https://docs.example.org/modelport/"},
    "dashboards": {"enabled": True},
}
METRIC = re.compile(r"\b(?:modelport|process)_[a-z_]+")


def rules() -> list[Body]:
    """Return all rules."""
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def expressions() -> Iterator[str]:
    """Yield every expression of the dashboards, with values for their variables."""
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                yield re.sub(r"\$(namespace|model)", "x", target["expr"].replace("$__rate_interval", "5m"))


def told() -> set[str]:
    """Return the names of the series that operator and server expose."""
    operator, server = CollectorRegistry(), ServerMetrics("net")
    OperatorMetrics(operator)
    families = [*operator.collect(), *server.collect(), *REGISTRY.collect()]
    suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
    return {family.name + suffix for family in families for suffix in suffixes.get(family.type, ("",))}


def test_rules_tell_what_they_should(promtool: Promtool) -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", str(RULES))
    promtool("test", "rules", str(Path(__file__).with_name("alerts.yaml")))


def test_every_alert_is_tested() -> None:
    tests = Path(__file__).with_name("alerts.yaml").read_text()
    assert [each["alert"] for each in rules() if each["alert"] not in tests] == []


def test_dashboards_ask_in_promql(promtool: Promtool, tmp_path: Path) -> None:
    recorded = [{"record": f"panel:{number}", "expr": each} for number, each in enumerate(expressions())]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": recorded}]}))
    assert f"{len(recorded)} rules found" in promtool("check", "rules", str(file))


def test_every_series_that_is_asked_for_is_told() -> None:
    asked = {name for text in [*expressions(), *(rule["expr"] for rule in rules())] for name in METRIC.findall(text)}
    assert asked - told() == set()
    assert len(asked) > 20


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_has_its_parts(path: Path) -> None:
    dashboard = json.loads(path.read_text())
    ids = [panel["id"] for panel in dashboard["panels"]]
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in dashboard["panels"]}
    variables = {each["name"] for each in dashboard["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(dashboard["panels"])))
    assert len(ids) == len(set(ids)) == len(places)
    assert used - {"__rate_interval"} == variables


def test_runbooks_are_pages(render: Render) -> None:
    for rule in rules():
        page, _, anchor = rule["annotations"]["runbook"].partition("/#")
        text = (ROOT / "docs" / f"{page.strip('/')}.md").read_text()
        assert not anchor or f"## {rule['alert']}\n" in text, rule["alert"]
        assert anchor in {"", rule["alert"].lower()}
    rendered = only(render(monitoring=ENABLED), "PrometheusRule")
    assert {
        rule["annotations"]["runbook_url"].partition("modelport/")[0]
        for group in rendered["spec"]["groups"]
        for rule in group["rules"]
    } == {"https://docs.example.org/"}


def test_the_chart_changes_nothing_else_in_rules_and_dashboards(render: Render) -> None:
    bodies = render(monitoring=ENABLED | {"prometheusRule": {"enabled": True}})
    assert only(bodies, "PrometheusRule")["spec"] == yaml.safe_load(RULES.read_text())
    for path in DASHBOARDS:
        config = only(bodies, "ConfigMap", f"modelport-dashboard-{path.stem}")
        assert config["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert config["data"] == {f"modelport-{path.name}": path.read_text()}


def test_servers_are_found_where_the_operator_works(render: Render) -> None:
    monitor = only(render(monitoring=ENABLED), "PodMonitor")
    assert monitor["spec"]["selector"]["matchLabels"].items() <= labels("net", "Serve").items()
    assert monitor["spec"]["namespaceSelector"] == {"any": True}
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    namespaced = only(render(monitoring=ENABLED, watchNamespaces=["a", "b"]), "PodMonitor")
    assert namespaced["spec"]["namespaceSelector"] == {"matchNames": ["a", "b"]}


def test_nothing_of_it_is_made_unasked(render: Render) -> None:
    kinds = {each["kind"] for each in render()}
    assert not kinds & {"PodMonitor", "PrometheusRule", "ServiceMonitor"}
    assert not [each for each in render() if "dashboard" in each["metadata"]["name"]]
