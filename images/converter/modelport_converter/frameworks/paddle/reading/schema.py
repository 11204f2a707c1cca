"""Messages of framework.proto (Paddle, paddle/fluid/framework), by the numbers of their fields.

What Paddle requires is optional here: whoever reads says what is missing. Unknown fields stay as they are.
"""

from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

MESSAGES = {
    "Scalar": "type:int32=1 b:bool=2 i:int64=3 r:double=4",
    "Attribute": (
        "name:string=1 type:int32=2 i:int32=3 f:float=4 s:bytes=5 ints:int32*=6 floats:float*=7 strings:bytes*=8"
        " b:bool=10 bools:bool*=11 block:int32=12 l:int64=13 blocks:int32*=14 longs:int64*=15 doubles:double*=16"
        " variable:string=17 variables:string*=18 double:double=19 scalar:Scalar=20 scalars:Scalar*=21"
    ),
    "Slot": "parameter:string=1 arguments:string*=2",
    "Operator": "inputs:Slot*=1 outputs:Slot*=2 type:string=3 attributes:Attribute*=4",
    "Tensor": "data_type:int32=1 dims:int64*=2",
    "Leveled": "tensor:Tensor=1 levels:int32=2",
    "Type": "type:int32=1 rows:Tensor=2 tensor:Leveled=3 array:Leveled=4",
    "Variable": "name:string=1 type:Type=2 persistable:bool=3 is_parameter:bool=5",
    "Block": "index:int32=1 parent:int32=2 variables:Variable*=3 operators:Operator*=4",
    "Program": "blocks:Block*=1",
}
ATTRIBUTES = {
    0: "i", 1: "f", 2: "s", 3: "ints", 4: "floats", 5: "strings", 6: "b", 7: "bools", 8: "block", 9: "l", 10: "blocks",
    11: "longs", 12: "doubles", 13: "variable", 14: "variables", 15: "double", 16: "scalar", 17: "scalars",
}  # fmt: skip
"""Field of an attribute by its type."""
SCALARS = {1: "b", 2: "i", 3: "r"}
DTYPES = {
    0: "bool", 1: "int16", 2: "int32", 3: "int64", 4: "float16", 5: "float32", 6: "float64", 20: "uint8", 21: "int8",
    22: "bfloat16",
}  # fmt: skip
"""Element types by VarType.Type."""
_Field = descriptor_pb2.FieldDescriptorProto
_PLAIN = frozenset({"int32", "int64", "float", "double", "bool", "string", "bytes"})


def new_program() -> Any:
    """Return an empty ProgramDesc."""
    return _classes()["Program"]()


def new_tensor() -> Any:
    """Return an empty VarType.TensorDesc."""
    return _classes()["Tensor"]()


@cache
def _classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="paddle.proto", package="paddle")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for text in fields.split():
            label, _, number = text.partition("=")
            field_name, _, kind = label.partition(":")
            field = message.field.add(name=field_name, number=int(number))
            field.label = _Field.LABEL_REPEATED if kind.endswith("*") else _Field.LABEL_OPTIONAL
            kind = kind.removesuffix("*")
            if kind in _PLAIN:
                field.type = _Field.Type.Value(f"TYPE_{kind.upper()}")
            else:
                field.type, field.type_name = _Field.TYPE_MESSAGE, f".paddle.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"paddle.{name}")) for name in MESSAGES}
