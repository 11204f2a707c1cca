"""MXNet's files are there and whole; nothing of them is run."""

from pathlib import Path

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.storage.trees import FolderTree
from modelport_converter.frameworks.mxnet.symbols.reading.graphs import read_graph, read_symbol
from modelport_converter.frameworks.mxnet.symbols.reading.parameters import read_parameters
from modelport_converter.tasks import find_part, has_part

FORMAT = "mxnet"


def inspect(folder: Path, paths: list[str], format_name: str) -> None:  # noqa: ARG001  # as all formats
    """Read both files; only MXNet tells lengths. Raises ModelportError."""
    symbol, parameters = find_files(FolderTree(folder, tuple(paths)))
    read_graph(read_symbol(symbol), symbol.name)
    if parameters:
        read_parameters(parameters)


def find_files(tree: FolderTree) -> tuple[Path, Path | None]:
    """Return symbol and parameters; a symbol may do without. Raises ModelportError (SourceCorrupt, AmbiguousFormat)."""
    if not has_part(tree, FORMAT, "symbol") and has_part(tree, FORMAT, "parameters"):
        message = (
            f"{', '.join(tree.paths):.100}: expected the symbol (…-symbol.json) beside the parameters, found none; "
            "give both files, as Module.save_checkpoint and HybridBlock.export write them"
        )
        raise ModelportError(Reason.SOURCE_CORRUPT, message)
    symbol = find_part(tree, FORMAT, "symbol")
    return symbol, find_part(tree, FORMAT, "parameters") if has_part(tree, FORMAT, "parameters") else None
