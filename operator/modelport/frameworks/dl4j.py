"""DeepLearning4j: networks that its ModelSerializer wrote, sequential ones and graphs, answered by DL4J on the JVM."""

from modelport.conversion.base import Converter, Format, Framework
from modelport.conversion.detection import Evidence, Tree, play
from modelport.conversion.onnx_options import OnnxOptions

CONFIGURATION, COEFFICIENTS = "configuration.json", "coefficients.bin"
MEMBERS = frozenset({CONFIGURATION, COEFFICIENTS})
"""In the zip archive, beside the state of the updater and statistics of data."""
FORMAT = "dl4j"


def _detect(tree: Tree) -> Evidence | None:
    return play("model", [path for path in tree.paths if tree.members(path) >= MEMBERS], is_sure=True)


FRAMEWORK = Framework(
    "dl4j",
    "DeepLearning4j",
    formats=(
        Format(
            FORMAT,
            "DeepLearning4j model (the zip archive of ModelSerializer)",
            _detect,
            suffixes=(".zip", ".bin", ".mln", ".cg"),
            holds_graph=True,
        ),
    ),
    converters=(Converter(FORMAT, "onnx", OnnxOptions, cost=10),),
    packages=("openjdk-17-jre-headless",),  # the virtual machine, and the compiler of a single source file
)
