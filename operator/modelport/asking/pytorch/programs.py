"""Programs of torch.export, read without PyTorch: what opening one would run, and its signature.

A .pt2 is a zip archive: the graph as JSON, raw numbers, and pickles of what has none. torch.export.load looks up each
operator of the graph by name, from `torch` on, so that `torch.os.system` is one; it evaluates the lengths in it as
Python; it unpickles whatever the weights-only reader refuses; and it loads libraries that were compiled of the program.
What is beyond operators, arithmetic and tensors is named here. Fields: torch/_export/serde/schema.py.
"""

import ast
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from modelport.api.reasons import Reason
from modelport.asking.pytorch.pickles import Name, find_names
from modelport.errors import ModelportError, describe_error
from modelport.storage.archives import DAMAGED, open_zip

MAX_JSON_BYTES = 256 << 20
_SYMBOLS = (
    "add|sub|mul|truediv|floordiv|mod|pow|neg|pos|abs|eq|ne|lt|le|gt|ge|and_|or_|xor|not_|inv|invert|lshift|rshift"
)
OPERATOR = re.compile(
    rf"torch\.ops\.[a-zA-Z]\w*(\.(?!__)\w+){{1,2}}|_operator\.({_SYMBOLS}|getitem|matmul)|math\.[a-z]\w*|torch\.sym_[a-z]+"
    r"|torch\._sym_[a-z]+|torch\.ops\.aten\.__i?(and|or|xor|lshift|rshift)__\.\w+"
)
_FUNCTIONS = re.compile(
    "Symbol|Dummy|Integer|Float|Rational|Add|Mul|Equality|Unequality|StrictLessThan|StrictGreaterThan|LessThan|GreaterThan"
    "|Max|Min|Abs|Mod|PythonMod|FloorDiv|CleanDiv|CeilDiv|IntTrueDiv|FloatTrueDiv|ModularIndexing|Where|Identity|ToFloat"
    "|TruncToInt|TruncToFloat|FloorToInt|CeilToInt|RoundToInt|RoundDecimal|LShift|RShift|Pow|PowByNatural|FloatPow|And|Or"
    r"|Not|Eq|Ne|Lt|Le|Gt|Ge|floor|ceiling|sqrt|OpaqueUnaryFn_[a-z]+"
)
_ARITHMETIC = (
    *(ast.Expression, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Load, ast.operator, ast.unaryop, ast.boolop),
    *(ast.cmpop, ast.keyword),
)
_WORD = re.compile(r"[\w.+-]*")
"""A symbol, or a number, as text: it calls nothing, whoever evaluates it."""
_TREES = {None, "builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict"}
_KEY = re.compile(r"[\w.:\-/ ]*")
"""A name of an output, such as TensorFlow's with the number of a tensor."""
_TENSORS = {
    ("collections", "OrderedDict"),
    ("torch._utils", "_rebuild_tensor_v2"),
    ("torch._utils", "_rebuild_tensor_v3"),
    ("torch._utils", "_rebuild_parameter"),
    ("torch.storage", "UntypedStorage"),
    ("torch._tensor", "_rebuild_from_type_v2"),
    ("torch.nn.parameter", "Parameter"),
    ("torch", "Tensor"),
    ("torch", "Size"),
    ("torch", "device"),
    ("builtins", "set"),
}
_STORAGE = re.compile(r"[A-Z][A-Za-z0-9]*Storage|(b?float|u?int|complex)\d+\w*|bool")


def find_code(path: Path) -> list[str]:
    """Return what opening a program would run beyond operators on tensors. Raises ModelportError (SourceCorrupt)."""
    found: list[str] = []
    try:
        with path.open("rb") as file, open_zip(path.name, file) as archive:
            pickled = _find_pickled(archive)
            for info in archive.infolist():
                if "aotinductor/" in info.filename:  # compiled for a machine, and loaded as a library
                    found.append(info.filename)
                elif info.filename.endswith(".json") or "models/" in info.filename:
                    found += _find_in_graph(_read_json(archive, info))
                elif info.filename.endswith(".pt") or info.filename.rpartition("/")[2] in pickled:
                    with archive.open(info) as content:
                        found += [str(each) for each in _names_in(content) if not _is_tensors(each)]
    except (*DAMAGED, TypeError, AttributeError) as error:
        message = f"{path.name}: expected a whole program of torch.export, found: {describe_error(error)}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error
    return list(dict.fromkeys(found))


def _read_json(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Any:
    if info.file_size > MAX_JSON_BYTES:
        raise ValueError(f"{info.filename:.100} of {info.file_size} bytes; at most {MAX_JSON_BYTES} are read")
    return json.loads(archive.read(info))


def _find_pickled(archive: zipfile.ZipFile) -> set[str]:
    """Return the last parts of the names of members that are unpickled."""
    found: set[str] = set()
    if len({name.lower() for name in archive.namelist()}) < len(archive.namelist()):
        raise ValueError("several members of one name")  # of which the reader may take another one
    for info in archive.infolist():
        name = info.filename.rpartition("/")[2]
        if name.endswith("_config.json"):
            entries = _read_json(archive, info)["config"].values()
            found |= {str(each["path_name"]).rpartition("/")[2] for each in entries if each.get("use_pickle")}
        elif name.startswith(("custom_obj_", "opaque_obj_")):
            found.add(name)
    return found


def _names_in(content: IO[bytes]) -> list[Name]:
    """Return what a pickle would import, which may lie in an archive of torch.save's."""
    data = io.BytesIO(content.read())
    if not data.getvalue().startswith(b"PK"):
        return find_names(data) if data.getvalue() else []
    with open_zip("pickle", data) as inner:
        pickles = [name for name in inner.namelist() if name.endswith(".pkl")]
        return [each for name in pickles for each in find_names(io.BytesIO(inner.read(name)))]


def _is_tensors(name: Name) -> bool:
    return name in _TENSORS or (name.module == "torch" and bool(_STORAGE.fullmatch(name.name)))


def _find_in_graph(value: Any, key: str = "") -> Iterator[str]:
    """Return operators, lengths and structures in JSON that are none."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _find_in_graph(part, name)
        yield from (name for name in value.get("range_constraints") or () if not _is_arithmetic(name))
    elif isinstance(value, list):
        for part in value:
            yield from _find_in_graph(part, key)
    elif isinstance(value, str) and key in ("in_spec", "out_spec"):
        yield from _find_in_tree(json.loads(value) if value else None)
    elif isinstance(value, str) and not _PLAIN.get(key, _anything)(value):
        yield value


def _anything(_text: str) -> bool:
    return True


def _is_arithmetic(text: str) -> bool:
    """Whether Python, which evaluates it, finds numbers, names and arithmetic alone."""
    try:
        nodes = list(ast.walk(ast.parse(text.strip(), mode="eval")))
    except SyntaxError:
        return False
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    for node in nodes:
        if isinstance(node, ast.Constant):
            is_plain = isinstance(node.value, (int, float)) or bool(_WORD.fullmatch(str(node.value)))
        elif isinstance(node, ast.Name):
            is_plain = bool(_FUNCTIONS.fullmatch(node.id)) if id(node) in called else not node.id.startswith("_")
        elif isinstance(node, ast.Call):
            is_plain = isinstance(node.func, ast.Name)
        else:
            is_plain = isinstance(node, _ARITHMETIC)
        if not is_plain:
            return False
    return True


_PLAIN: dict[str, Callable[[str], object]] = {
    "target": OPERATOR.fullmatch,
    "as_operator": OPERATOR.fullmatch,
    "expr_str": _is_arithmetic,
    "forward_arg_names": str.isidentifier,
}
"""What a string must be, by its key; all others are only compared."""


def _find_in_tree(value: Any) -> Iterator[str]:
    """Return what stands in the structure of inputs or outputs beside tuples, lists and dicts by plain names."""
    if isinstance(value, dict):
        if "type" in value and value["type"] not in _TREES:
            yield str(value["type"])
        for part in value.values():
            yield from _find_in_tree(part)
    elif isinstance(value, list):
        for part in value:
            yield from _find_in_tree(part)
    elif isinstance(value, str) and value.startswith(("[", "{")):
        yield from _find_in_tree(json.loads(value))  # keys of a dict stand in text of their own
    elif isinstance(value, str) and not _KEY.fullmatch(value):
        yield value
