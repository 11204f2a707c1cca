"""Grafana's dashboards, from what each panel shows: the JSON model of dashboards of schema version 39 (Grafana 10.4 and newer)."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

WIDTH, HEIGHT = 12, 8
"""Of a panel, in units of Grafana's grid, which is 24 wide."""
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


class Panel(NamedTuple):
    """A time series panel: title, unit by Grafana's name, and by legend the expressions of the lines in it."""

    title: str
    unit: str
    lines: dict[str, str]


class Dashboard(NamedTuple):
    """One dashboard: its title, and panels from left to right; `choices` are label names by variable, from a metric."""

    title: str
    metric: str
    choices: tuple[str, ...]
    panels: tuple[Panel, ...]


def _quantiles(metric: str, labels: str, by: str = "") -> dict[str, str]:
    groups = f"le, {by}" if by else "le"
    suffix = f" {{{{{by}}}}}" if by else ""
    return {
        f"p{percent}{suffix}": f"histogram_quantile({percent / 100}, sum by ({groups}) (rate({metric}_bucket{{{labels}}}[$__rate_interval])))"
        for percent in (50, 99)
    }


OPERATOR = 'namespace="$namespace"'
MODEL = 'namespace="$namespace",model="$model"'
DASHBOARDS = {
    "operator": Dashboard(
        "Modelport / Operator",
        "modelport_leader",
        ("namespace",),
        (
            Panel("Who works", "short", {"{{pod}}": f"modelport_leader{{{OPERATOR}}}"}),
            Panel(
                "Reconciliations",
                "ops",
                {
                    "{{result}}": f"sum by (result) (rate(modelport_reconciles_total{{{OPERATOR}}}[$__rate_interval]))",
                },
            ),
            Panel("Duration of a reconciliation", "s", _quantiles("modelport_reconcile_seconds", OPERATOR)),
            Panel("Keys that wait", "short", {"{{pod}}": f"modelport_queue_depth{{{OPERATOR}}}"}),
            Panel(
                "Since a watch brought something",
                "s",
                {
                    "{{kind}}": f"time() - max by (kind) (modelport_watch_last_event_timestamp_seconds{{{OPERATOR}}})",
                },
            ),
            Panel(
                "Changes that watches missed",
                "short",
                {"{{kind}}": f"sum by (kind) (increase(modelport_watch_missed_total{{{OPERATOR}}}[$__rate_interval]))"},
            ),
            Panel("Memory", "bytes", {"{{pod}}": f"process_resident_memory_bytes{{{OPERATOR}}}"}),
            Panel(
                "Processor", "short", {"{{pod}}": f"rate(process_cpu_seconds_total{{{OPERATOR}}}[$__rate_interval])"}
            ),
        ),
    ),
    "conversions": Dashboard(
        "Modelport / Conversions",
        "modelport_resources",
        ("namespace",),
        (
            Panel("Resources", "short", {"{{state}}": f"sum by (state) (modelport_resources{{{OPERATOR}}})"}),
            Panel(
                "Resources that wait for people",
                "short",
                {
                    "{{resource_namespace}}/{{resource}}: {{reason}}": f"modelport_resource_stalled{{{OPERATOR}}}",
                },
            ),
            Panel(
                "Conversions that ended",
                "short",
                {
                    "{{outcome}} {{reason}}": f"sum by (outcome, reason) (increase(modelport_conversions_total{{{OPERATOR}}}[$__rate_interval])) > 0",
                },
            ),
            Panel("Resources with a Job", "short", {"{{state}}": f"sum by (state) (modelport_jobs{{{OPERATOR}}})"}),
            Panel("Duration of Jobs", "s", _quantiles("modelport_stage_seconds", OPERATOR, "stage")),
            Panel(
                "Jobs that ended",
                "short",
                {
                    "{{stage}} {{result}}": f"sum by (stage, result) (increase(modelport_stage_seconds_count{{{OPERATOR}}}[$__rate_interval]))",
                },
            ),
        ),
    ),
    "serving": Dashboard(
        "Modelport / Serving",
        "modelport_model_ready",
        ("namespace", "model"),
        (
            Panel("Pods that are ready", "short", {"ready": f"sum(modelport_model_ready{{{MODEL}}})"}),
            Panel(
                "Requests",
                "reqps",
                {
                    "{{protocol}} {{code}}": f"sum by (protocol, code) (rate(modelport_requests_total{{{MODEL}}}[$__rate_interval]))",
                },
            ),
            Panel("Time to the answer", "s", _quantiles("modelport_request_duration_seconds", MODEL, "protocol")),
            Panel(
                "Time by stage of a request",
                "s",
                {
                    "{{stage}}": f"sum by (stage) (rate(modelport_request_stage_duration_seconds_sum{{{MODEL}}}[$__rate_interval]))"
                    f" / sum by (stage) (rate(modelport_request_stage_duration_seconds_count{{{MODEL}}}[$__rate_interval]))",
                },
            ),
            Panel(
                "Requests at once",
                "short",
                {
                    "in flight": f"sum(modelport_requests_in_flight{{{MODEL}}})",
                    "waiting": f"sum(modelport_queue_size{{{MODEL}}})",
                },
            ),
            Panel("Rows of a run", "short", _quantiles("modelport_batch_size", MODEL)),
            Panel("Time to load and warm up", "s", {"{{pod}}": f"modelport_model_load_duration_seconds{{{MODEL}}}"}),
        ),
    ),
}


def dashboard_json(name: str) -> str:
    """Return a dashboard as Grafana imports it."""
    dashboard = DASHBOARDS[name]
    body = {
        "uid": f"modelport-{name}",
        "title": dashboard.title,
        "tags": ["modelport"],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": list(_variables(dashboard))},
        "panels": [_panel(number, panel) for number, panel in enumerate(dashboard.panels)],
    }
    return json.dumps(body, indent=1) + "\n"


def _variables(dashboard: Dashboard) -> Iterator[dict[str, Any]]:
    yield {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}
    chosen: list[str] = []
    for label in dashboard.choices:
        query = f"label_values({dashboard.metric}{{{','.join(chosen)}}}, {label})"
        yield {
            "name": label,
            "label": label.capitalize(),
            "type": "query",
            "datasource": SOURCE,
            "query": {"query": query, "refId": label},
            "refresh": 2,
            "sort": 1,
        }
        chosen.append(f'{label}="${label}"')


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    row, column = divmod(number * WIDTH, 24)
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "datasource": SOURCE,
        "gridPos": {"x": column, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + index), "datasource": SOURCE, "expr": expression, "legendFormat": legend}
            for index, (legend, expression) in enumerate(panel.lines.items())
        ],
    }
