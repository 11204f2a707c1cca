"""In the environment of Caffe's image: what OpenCV and numpy say of each case, as JSON by its name."""

import json
import sys
from pathlib import Path

import cv2

from converters.caffe.asking import difference, open_case, questions
from converters.caffe.layer_cases import cases
from modelport_converter.frameworks.caffe.answering.numpy_net import run_net
from modelport_converter.frameworks.caffe.answering.opencv import open_in_opencv
from modelport_converter.frameworks.caffe.answering.trusted import find_untrusted


def main(folder: Path) -> None:
    outcomes = {}
    for number, case in enumerate(cases()):
        model = open_case(case, folder / str(number))
        why = find_untrusted(model)
        outcome: dict[str, object] = {"why": why}
        if not why:
            try:
                asked = questions(case, model)
                outcome["error"] = difference(open_in_opencv(model)(asked), run_net(model.net, asked))
            except (cv2.error, IndexError, ValueError) as error:
                outcome["why"] = f"refused: {error!s:.100}"
        outcomes[case.name] = outcome
    (folder / "outcomes.json").write_text(json.dumps(outcomes))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
