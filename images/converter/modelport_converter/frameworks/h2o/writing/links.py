"""From sums to answers (GbmMojoModel.linkInv, GenModel.GLM_*Inv)."""

from modelport_converter.tables.graph import TableGraph

LINKS = ("identity", "log", "logit", "ologit", "inverse")
MOST = 1e19
"""What exp is cut at."""
LEAST = 1e-5


def default_link(family: str) -> str:
    """Return the link of models that are older than its name in the file (ModelMojoReader.defaultLinkFunction)."""
    if family in ("bernoulli", "fractionalbinomial", "quasibinomial", "modified_huber", "ordinal"):
        return "logit"
    return "log" if family in ("multinomial", "poisson", "gamma", "tweedie") else "identity"


def write_link(graph: TableGraph, link: str, sums: str, *, is_cut: bool = True) -> str:
    """Return the answers to sums; `is_cut`: as gradient boosting has them, else as linear models have them."""
    if link == "log":
        return cut_exp(graph, sums) if is_cut else graph.add("Exp", sums)
    if link in ("logit", "ologit"):
        return graph.sigmoid(sums)
    if link == "inverse":
        below, above = graph.add("Min", sums, -LEAST), graph.add("Max", sums, -LEAST if is_cut else LEAST)
        return graph.add("Div", 1.0, graph.add("Where", graph.add("Less", sums, 0.0), below, above))
    assert link == "identity"
    return sums


def cut_exp(graph: TableGraph, sums: str) -> str:
    """Return exp, at most 1e19; NaN of NaN."""
    raised = graph.add("Exp", sums)
    return graph.add("Where", graph.add("Greater", raised, MOST), MOST, raised)
