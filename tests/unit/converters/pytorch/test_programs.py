"""What opening a program of torch.export would run: the file is read, and nothing of it run."""

import io
import json
import pickle
import zipfile
from collections import OrderedDict

import pytest

from modelport.asking.pytorch.programs import find_code
from modelport.errors import ModelportError

SYMBOL = "Symbol('s77', positive=True, integer=True)"


class Evil:
    def __reduce__(self):
        return (eval, ("1",))


def write(path, graph, members=(), config=None):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/models/model.json", json.dumps(graph))
        archive.writestr("m/data/weights/model_weights_config.json", json.dumps({"config": config or {}}))
        for name, content in members:
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize(
    "graph",
    [
        {"nodes": [{"target": "torch.ops.aten.add.Tensor"}, {"target": "_operator.mul"}, {"target": "math.ceil"}]},
        {"sizes": [{"as_expr": {"expr_str": SYMBOL}}, {"as_expr": {"expr_str": f"Add({SYMBOL}, Integer(-1))"}}]},
        {"sizes": [{"as_expr": {"expr_str": "2*s0 + Max(1, s1 // 2)"}}], "range_constraints": {"s0": {}, SYMBOL: {}}},
        {"in_spec": json.dumps([1, {"type": "builtins.tuple", "context": "null", "children_spec": []}])},
        {"in_spec": json.dumps([1, {"type": "builtins.dict", "context": json.dumps(["input_ids", "a.b", "Call:0"])}])},
    ],
)
def test_operators_arithmetic_and_structures_run_nothing(tmp_path, graph):
    tensors = pickle.dumps(OrderedDict(a=1), protocol=2)
    assert find_code(write(tmp_path / "m.pt2", graph, [("m/data/sample_inputs/model.pt", tensors)])) == []


@pytest.mark.parametrize(
    ("graph", "told"),
    [
        ({"nodes": [{"target": "torch.os.system"}]}, "torch.os.system"),
        ({"nodes": [{"target": "torch.ops.load_library"}]}, "torch.ops.load_library"),
        ({"nodes": [{"target": "_operator.methodcaller"}]}, "_operator.methodcaller"),
        ({"nodes": [{"target": "torch.ops.aten.__class__.mro"}]}, "torch.ops.aten.__class__.mro"),
        ({"inputs": [{"as_operator": "torch.hub.load"}]}, "torch.hub.load"),
        ({"sizes": [{"as_expr": {"expr_str": "__import__('os').system('id')"}}]}, "__import__('os').system('id')"),
        ({"sizes": [{"as_expr": {"expr_str": "lambdify(x, 'id()')"}}]}, "lambdify(x, 'id()')"),
        ({"sizes": [{"as_expr": {"expr_str": "[x for x in s0]"}}]}, "[x for x in s0]"),
        ({"range_constraints": {"exec('1')": {}}}, "exec('1')"),
        ({"in_spec": json.dumps([1, {"type": "collections.defaultdict", "context": ""}])}, "collections.defaultdict"),
        ({"in_spec": json.dumps([1, {"type": "builtins.dict", "context": json.dumps(['"+x+"'])}])}, '"+x+"'),
    ],
)
def test_what_is_neither_is_named(tmp_path, graph, told):
    assert find_code(write(tmp_path / "m.pt2", graph)) == [told]


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("m/data/sample_inputs/model.pt", {}),
        ("m/data/constants/opaque_obj_0", {}),
        ("m/data/weights/weight_0", {"a": {"path_name": "weight_0", "use_pickle": True}}),
    ],
)
@pytest.mark.parametrize("is_packed", [False, True])
def test_pickles_of_more_than_tensors_are_named(tmp_path, name, config, is_packed):
    content = pickle.dumps(Evil())
    if is_packed:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("archive/data.pkl", content)
        content = file.getvalue()
    assert find_code(write(tmp_path / "m.pt2", {}, [(name, content)], config)) == ["builtins.eval"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_members_of_one_name_are_refused(tmp_path):
    with pytest.raises(ModelportError, match="several members"):
        find_code(write(tmp_path / "m.pt2", {}, [("m/MODELS/model.json", b"{}")]))
