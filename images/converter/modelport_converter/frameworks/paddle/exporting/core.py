"""Run paddle2onnx in a process of its own, which it ends where it does not know an operator.

`python core.py PART PROGRAM WEIGHTS OPSET TARGET`; WEIGHTS may be empty. Runs without anything of ours: it takes of paddle2onnx
the library alone, because what stands around it in Python asks for older versions of onnx.
"""

import importlib.util
import sys
from pathlib import Path

NAME = "paddle2onnx_cpp2py_export"
KNOWN = "known operators: "
"""How the line begins that lists them."""
NEEDS_PADDLE = "json"
"""The part whose library is linked with Paddle's."""


def export(part: str, program: str, weights: str, opset: str, target: str) -> None:
    """Write the model of a program. Raises whatever paddle2onnx raises."""
    if part == NEEDS_PADDLE:
        import paddle  # noqa: F401
    (path,) = (Path(sys.prefix) / "parts" / part / "paddle2onnx").glob(f"{NAME}.*.so")
    spec = importlib.util.spec_from_file_location(NAME, path)
    assert spec
    assert spec.loader
    library = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(library)
    if part == NEEDS_PADDLE:  # it does not say itself what it does not know
        sys.stdout.write(f"{KNOWN}{' '.join(library.get_all_supported_operators_pir())}\n")
        sys.stdout.flush()
    # may use a newer opset, quiet, checked, with experimental operators, optimised; no operators of a user's, no
    # calibration, weights within, full precision: as its command line does
    content = library.export(
        program, weights, int(opset), True, False, True, True, True, {}, "onnxruntime", "", "", False
    )
    Path(target).write_bytes(content)


if __name__ == "__main__":
    export(*sys.argv[1:6])
