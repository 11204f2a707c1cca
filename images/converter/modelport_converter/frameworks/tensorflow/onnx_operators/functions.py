"""What is to be run of a model: functions, ONNX's own too, are put in as the operators that they stand for."""

from collections.abc import Iterator
from typing import Any

import onnx
import onnx.inliner

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport_converter.frameworks.tensorflow.onnx_operators.operators import OPERATORS
from modelport_converter.frameworks.tensorflow.onnx_operators.parsing import domain_of, versions_of
from modelport_converter.onnx_graphs.graphs import nodes_of

OPSETS = range(7, onnx.defs.onnx_opset_version() + 1)
"""Before them operators broadcast only where they say so; what is newer than the installed onnx is not known here."""
MOST_ROUNDS = 4
"""Functions stand for operators, of which some are functions again."""
MAX_NAMES = 5


def expand(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model of operators that are known, as far as its functions stand for such."""
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    for _ in range(MOST_ROUNDS):
        functions = sorted({(domain, kind) for domain, kind in _kinds(model) if _is_function(model, domain, kind)})
        if not functions:
            break
        try:
            model = onnx.inliner.inline_selected_functions(model, functions, inline_schema_functions=True)
        except RuntimeError:  # which it raises where a type is not known: then these operators are refused
            break
    return model


def _kinds(model: onnx.ModelProto) -> Iterator[tuple[str, str]]:
    for node in nodes_of(model):
        yield domain_of(node.domain), node.op_type


def _is_function(model: onnx.ModelProto, domain: str, kind: str) -> bool:
    version = versions_of(model).get(domain, 1)
    if (domain, kind) in OPERATORS or not onnx.defs.has(kind, version, domain):
        return False
    schema: Any = onnx.defs.get_schema(kind, version, domain)  # whose types lack what it has
    return bool(schema.has_function or schema.has_context_dependent_function)


def refuse_unknown(model: onnx.ModelProto) -> None:
    """Raise ModelportError (ConversionFailed) for all operators that are not known, with their nodes' names."""
    version = versions_of(model).get("", OPSETS[-1])
    if version not in OPSETS:
        message = (
            f"expected operator set {OPSETS[0]} to {OPSETS[-1]}, found {version}; convert it to ONNX with options.opset"
        )
        raise ModelportError(Reason.CONVERSION_FAILED, message)
    found: dict[str, list[str]] = {}
    for node in nodes_of(model):
        domain = domain_of(node.domain)
        if (domain, node.op_type) not in OPERATORS:
            name = f"{domain}.{node.op_type}" if domain else node.op_type
            found.setdefault(name, []).append(node.name or next(filter(None, node.output), ""))
    if found:
        told = ", ".join(f"{kind} ({', '.join(names[:2]):.60})" for kind, names in list(found.items())[:MAX_NAMES])
        more = (
            f" and {len(found) - MAX_NAMES} more: {', '.join(list(found)[MAX_NAMES:])}"
            if len(found) > MAX_NAMES
            else ""
        )
        message = (
            f"expected operators that are written in TensorFlow's, found {told}{more:.150}; write the model with others"
        )
        raise ModelportError(Reason.CONVERSION_FAILED, message)
