"""H2O: models that it exported for scoring, as archives (MOJO) or as Java (POJO); answered and served by its own scorer."""

import re

from modelport.conversion.base import Converter, Format, Framework, Options
from modelport.conversion.detection import Evidence, Tree, play
from modelport.conversion.onnx_options import OnnxOptions

MOJO, POJO = "h2o-mojo", "h2o-pojo"
INI = "model.ini"
"""The description of a MOJO, in its zip archive or in a folder that it was unpacked into (ModelMojoReader.java)."""
INFO = b"[info]"
"""How it begins."""
PIPELINES = re.compile(r"(^|/)pipeline\.(mojo|pb)$")
"""What a MOJO of Driverless AI has, which is another form altogether."""
STORED = b"\x1c\xed"
"""How what `h2o.saveModel` writes begins: the state of a cluster of the same version (AutoBuffer.java)."""
VERSION = re.compile(rb"^\x1c\xed[\x00-\x20]{1,4}\d+\.\d+\.\d+\.\d+")
CLASS = re.compile(rb"public\s+class\s+(\w+)\s+extends\s+(hex\.genmodel\.)?GenModel\b")
IMPORTED = re.compile(rb"import\s+hex\.genmodel\.")
JAVA = ".java"
PACKAGES = ("openjdk-17-jre-headless",)
"""The virtual machine, and the compiler of source files."""


def is_mojo(tree: Tree, path: str) -> bool:
    """Whether a file is an archive of a MOJO, or the description of one that was unpacked."""
    if INI in tree.members(path):
        return True
    return path.rpartition("/")[2] == INI and tree.read(path).lstrip().startswith(INFO)


def is_left_out(tree: Tree, path: str) -> bool:
    """Whether a file is one of H2O's that inspect refuses by name."""
    return bool(VERSION.match(tree.read(path))) or any(map(PIPELINES.search, tree.members(path)))


def _detect_mojo(tree: Tree) -> Evidence | None:
    found = [path for path in tree.paths if is_mojo(tree, path)]
    return play("model", found or [path for path in tree.paths if is_left_out(tree, path)], is_sure=True)


def _detect_pojo(tree: Tree) -> Evidence | None:
    sources = [path for path in tree.paths if path.endswith(JAVA)]
    sure = [path for path in sources if IMPORTED.search(tree.read(path)) or CLASS.search(tree.read(path))]
    return play("model", sure, is_sure=True)


FRAMEWORK = Framework(
    "h2o",
    "H2O",
    formats=(
        Format(
            MOJO,
            "H2O MOJO (download_mojo, h2o.download_mojo)",
            _detect_mojo,
            suffixes=(".zip", ".mojo"),
            holds_graph=True,
        ),
        Format(
            POJO,
            "H2O POJO (download_pojo, h2o.download_pojo: Java source)",
            _detect_pojo,
            suffixes=(JAVA,),
            holds_graph=True,
            executes_code=True,
        ),
    ),
    converters=(
        Converter(MOJO, MOJO, Options, cost=1),
        Converter(POJO, POJO, Options, cost=1),
        Converter(MOJO, "onnx", OnnxOptions, cost=10),
    ),
    packages=PACKAGES,
)
