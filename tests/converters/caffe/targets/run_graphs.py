"""In the environment of Caffe's image: graphs by chance as Caffe, asked of OpenCV and ONNX Runtime; outcomes as JSON by seed."""

import json
import sys
from pathlib import Path

import cv2

from converters.caffe.asking import difference
from converters.caffe.targets.graphs import make
from converters.caffe.targets.writing import RuntimeRefusesError, to_caffe
from modelport.asking.opencv.nets import open_net
from modelport.errors import ModelportError
from modelport_converter.frameworks.caffe.targeting.layers import ARCHITECTURE, WEIGHTS
from modelport_converter.frameworks.caffe.targeting.proving import tell_verifier


def outcome_of(seed: int, folder: Path) -> dict[str, object] | None:
    graph = make(seed)
    if graph is None:
        return None
    dialect = "opencv" if seed % 3 else "bvlc"
    told: dict[str, object] = {"operators": graph.operators, "nodes": len(graph.model.graph.node)}
    try:
        reference = to_caffe(graph.model, graph.questions, folder, dialect)
        tell_verifier(folder, dialect, reference)
    except RuntimeRefusesError:
        return None
    except ModelportError as error:
        return {**told, "refused": f"{error.reason}: {error.message}"}
    errors = []
    for winograd in (True, False):
        try:
            infer = open_net(folder / ARCHITECTURE, folder / WEIGHTS, winograd=winograd)
            errors += [difference(infer(each.inputs[0]), each.outputs[0]) for each in reference.samples]
        except (cv2.error, KeyError) as error:
            return {**told, "failed": str(error)}
    return {**told, "error": max(errors)}


def main(folder: Path, start: int, count: int) -> None:
    cv2.setNumThreads(1)
    found = {seed: outcome_of(seed, folder / str(seed)) for seed in range(start, start + count)}
    (folder / "outcomes.json").write_text(json.dumps({seed: each for seed, each in found.items() if each}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
