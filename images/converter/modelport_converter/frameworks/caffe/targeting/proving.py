"""Who proves a net of BVLC's dialect: nobody has BVLC's Caffe at hand, so its formulas answer, beside OpenCV in the gate."""

from pathlib import Path

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.verification.measure.sameness import distance
from modelport.verification.reference import Reference
from modelport_converter.frameworks.caffe.answering.numpy_net import run_net
from modelport_converter.frameworks.caffe.layers.net import build_net
from modelport_converter.frameworks.caffe.reading.architecture import read_architecture
from modelport_converter.frameworks.caffe.reading.weights import read_weights
from modelport_converter.frameworks.caffe.targeting.building import Dialect
from modelport_converter.frameworks.caffe.targeting.layers import ARCHITECTURE, WEIGHTS

MOST_ASKED = 4
FAR = 1e-4
"""Relative RMS that no rounding comes to."""


def tell_verifier(folder: Path, dialect: Dialect, reference: Reference) -> list[str]:
    """Return what a user must know about who verified the files in a folder: nothing of those that OpenCV is to run.

    Raises ModelportError (ConversionFailed) where they mean something else by BVLC's formulas than the source's answers.
    """
    if dialect == "opencv":
        return []
    samples = sorted(reference.usual, key=lambda each: sum(array.size for array in each.inputs[0].values()))
    farthest = 0.0
    asked = samples[:MOST_ASKED]
    architecture = read_architecture(folder / ARCHITECTURE)
    weights = read_weights(folder / WEIGHTS) if (folder / WEIGHTS).stat().st_size else {}
    for sample in asked:
        tensors = sample.inputs[0]
        net = build_net(architecture, weights, {name: (tensors[name].shape,) for name in architecture.inputs})
        found = run_net(net, tensors)
        farthest = max([farthest, *(distance(array, found[name]) for name, array in sample.outputs[0].items())])
    if not farthest <= FAR:
        message = f"options.dialect: bvlc: expected the source's answers by BVLC's formulas, found a relative error of {farthest:.1e}"
        raise ModelportError(Reason.CONVERSION_FAILED, f"{message}; ask for dialect: opencv")
    told = f"BVLC's formulas in numpy (relative error {farthest:.1e} on {len(asked)} samples)"
    return [f"dialect bvlc: verified by OpenCV, which serves it, and by {told}; BVLC's Caffe itself ran nothing"]
