"""The graph of formats: each source once, joined to the ways that it goes."""

import pytest

from modelport.frameworks import FORMATS, SOURCES
from modelport.runtimes import TARGETS
from modelport_cli.views import graph
from modelport_cli.views.graph import draw_graph, trust_of


def test_every_source_stands_once_and_leads_to_what_serves_it():
    rows = draw_graph()
    assert [row[0] for row in rows if row[0]] == list(SOURCES)
    assert {row[4].rpartition(" ")[2] for row in rows if row[4]} == set(TARGETS)
    assert all(row[5] for row in rows if row[4])


@pytest.mark.parametrize(
    ("name", "trust"),
    [
        ("onnx", "no"),
        ("pytorch-state-dict", "for code"),
        ("pytorch-module", "always"),
        ("keras-h5", "for Lambda layers"),
    ],
)
def test_trust_is_told_where_something_would_run(name, trust):
    assert trust_of(FORMATS[name]) == trust


@pytest.mark.parametrize(
    ("ends", "lines"),
    [
        ((1, 1), ["──"]),
        ((3, 1), ["─┬─", "─┤ ", "─┘ "]),
        ((1, 3), ["─┬─", " ├─", " └─"]),
        ((2, 2), ["─┬─", "─┴─"]),
        ((3, 2), ["─┬─", "─┼─", "─┘ "]),
    ],
)
def test_brackets_join_sources_and_ways(ends, lines):
    sources, ways = list(SOURCES.values())[: ends[0]], [("by", "to", "served")] * ends[1]
    assert [row[2] for row in graph._draw(sources, ways)] == lines
