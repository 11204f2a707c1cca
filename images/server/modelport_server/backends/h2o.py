"""H2O's own scorer, in a process of Java that the server asks over pipes."""

import sys
from collections.abc import Sequence
from pathlib import Path

from modelport.api.reasons import Reason
from modelport.asking.h2o.scorer import Kind, Scorer
from modelport.asking.java import JARS
from modelport.errors import ModelportError
from modelport.verification.calls import Infer
from modelport_server.backends.base import DEFAULT, How, LoadOptions, Traits

if not (Path(sys.prefix) / JARS).is_dir():
    raise ModuleNotFoundError("h2o-genmodel")  # of another image

NUMBERS = frozenset(
    {"bool", "float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"}
)
TRAITS = Traits(
    platform="h2o_genmodel",
    takes=NUMBERS | {"string"},
    gives=frozenset({"string", "int64", "float32", "float64"}),
    takes_bytes=False,
    is_shared=True,  # one after the other asks the one process, which answers with several threads
    keeps_outputs=True,
    writes_inputs=False,
    alignment=0,
)
WAYS: tuple[LoadOptions, ...] = (DEFAULT,)
KINDS: dict[str, Kind] = {".zip": "mojo", ".java": "pojo"}


def load(folder: Path, files: Sequence[str], how: How) -> Infer:
    """Load the one model. Raises ModelportError (RuntimeUnsupported)."""
    models = [name for name in files if Path(name).suffix in KINDS]
    if len(models) != 1:
        message = f"expected one file of {', '.join(KINDS)}, found {', '.join(files):.200}"
        raise ModelportError(Reason.VERIFICATION_FAILED, message)
    (name,) = models
    return Scorer(KINDS[Path(name).suffix], folder / name, threads=how.threads).answer
