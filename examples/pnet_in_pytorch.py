"""Print PyTorch's own answer of PNet to the image in /example/image.json; the demo runs it in the converter's image.

Beside the image stand `weights.pt` and `code.zip`, as `prepare_pnet.py` made them.
"""

import importlib
import json
import sys
import tempfile
import zipfile
from pathlib import Path

import torch

from modelport_converter.frameworks.pytorch.building import torchvision_shim

EXAMPLE = Path("/example")


def main() -> None:
    """Build the model by its factory, load the weights, answer once."""
    torchvision_shim.install()
    code = tempfile.mkdtemp()
    zipfile.ZipFile(EXAMPLE / "code.zip").extractall(code)
    sys.path.insert(0, code)
    model = importlib.import_module("facenet_pytorch.models.mtcnn").PNet(pretrained=False)
    model.load_state_dict(torch.load(EXAMPLE / "weights.pt", weights_only=True))
    image = torch.tensor(json.loads((EXAMPLE / "image.json").read_text()))
    with torch.no_grad():
        print(json.dumps([output.tolist() for output in model.eval()(image)]))


main()
