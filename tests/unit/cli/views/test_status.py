"""What `get` and `run` print of the evidence: errors by output, and what the numbers do not say."""

from rich.console import Console

from builders import output_status
from modelport.api.status import VerificationStatus
from modelport_cli.views.status import limit_lines, verification_view

OUTPUT = output_status(
    comparison="Softmax",
    relative_rms="2e-07",
    limit="5e-06",
    max_absolute_error="1e-06",
    excess="0.04",
    worst="axis 1, index 2",
    spread="0.9",
)


def test_each_output_has_a_line():
    evidence = VerificationStatus(key="v", samples=8, max_absolute_error="1e-06", outputs=[OUTPUT])
    console = Console(width=200)
    with console.capture() as captured:
        console.print(verification_view(evidence))
    _, line = captured.get().splitlines()
    assert line.split() == ["scores", "Softmax", "2e-07", "5e-06", "1e-06", "0.04", "axis", "1,", "index", "2", "0.9"]


def test_measured_limits_and_caveats_are_told():
    told = VerificationStatus(
        key="v",
        samples=8,
        max_absolute_error="0",
        edges="output scores: 2 of 3 rows differ",
        caveats=["the length 8 was baked in", "loaded with less optimisation"],
        truncated=True,
    )
    assert limit_lines(told) == [
        "edges: output scores: 2 of 3 rows differ",
        "mind: the length 8 was baked in",
        "mind: loaded with less optimisation",
        "some of it was left out here; the record beside the artifact has all",
    ]
    assert limit_lines(VerificationStatus(key="v", samples=8, max_absolute_error="0")) == []
