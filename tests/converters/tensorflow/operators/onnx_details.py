"""Small ONNX models with what differs by operator set or type, or is met at edges: as ONNX Runtime answers.

Each would answer otherwise if an operator of TensorFlow's were taken that has its name, or ONNX's newest definition.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, helper

from converters.tensorflow.operators.onnx_cases import INT64, Case, build, node, random

FAR = np.iinfo(np.int64).max
BACK = np.iinfo(np.int64).min


def case(
    name: str,
    nodes: Sequence[Any],
    question: Mapping[str, Any],
    weights: Mapping[str, Any] | None = None,
    *,
    outputs: Mapping[str, int] | None = None,
    opset: int = 17,
    fixed: bool = False,
    lite: bool = False,
) -> Case:
    """Return a model that is asked once; all lengths of its inputs are free, or fixed, and an output has the first input's type."""
    arrays = {key: np.asarray(value) for key, value in question.items()}
    kinds = {key: helper.np_dtype_to_tensor_dtype(array.dtype) for key, array in arrays.items()}
    told = outputs or {"y": next(iter(kinds.values()))}
    shapes = {
        key: array.shape if fixed else [f"{key}_{axis}" for axis in range(array.ndim)] for key, array in arrays.items()
    }
    constants = {key: np.asarray(value) for key, value in (weights or {}).items()}
    model = build(nodes, shapes, list(told), constants, opset=opset, kinds=kinds | told)
    return Case(name, model, [arrays], lite)


def types() -> list[Case]:
    counts = np.array([[0, 7, 255]], np.uint8)
    whole = np.array([-3, -1, 1, 2, 5], np.int32)
    reals = np.array([-4.7, -92.5, 77.3, 255.9, 300.2, 70000.6, -0.3] * 3, np.float32)
    casts = {
        name: helper.np_dtype_to_tensor_dtype(np.dtype(name)) for name in ("uint8", "int8", "uint16", "int16", "uint32")
    }
    return [
        case("abs-unsigned", [node("Abs", ["x"])], {"x": counts}),
        case("sign-unsigned", [node("Sign", ["x"])], {"x": counts}),
        case("power-negative", [node("Pow", ["x", "by"])], {"x": whole, "by": np.array([-2, -1, -3, -1, 3])}),
        *(
            case(f"cast-{name}", [node("Cast", ["x"], to=to)], {"x": reals}, outputs={"y": to})
            for name, to in casts.items()
        ),
        case("l2-whole", [node("ReduceL2", ["x"], axes=[1], keepdims=0)], {"x": whole[np.newaxis]}),
        case("log-whole", [node("ReduceLogSum", ["x"], axes=[1])], {"x": np.abs(whole)[np.newaxis]}),
        case(
            "norm-double",
            [node("LayerNormalization", ["x", "scale"], ["y", "mean", "factor"])],
            {"x": random(2, 3).astype(np.float64)},
            {"scale": random(3, seed=1).astype(np.float64)},
            outputs={"y": TensorProto.DOUBLE, "mean": TensorProto.FLOAT, "factor": TensorProto.FLOAT},
        ),
    ]


def shapes() -> list[Case]:
    x = random(2, 3, 4)
    rows = {"x": random(4, 2)}
    numbers = {"start": np.array(7), "limit": np.array(3), "step": np.array(1)}
    return [
        case(
            "constants-of-one",
            [node("Add", ["left", "right"], ["sum"]), node("Concat", ["x", "sum"], axis=0)],
            {"x": random(2, 3)},
            {"left": random(1, 3, seed=1), "right": random(1, 3, seed=2)},
            lite=True,
        ),
        case("squeeze-all", [node("Squeeze", ["x", "axes"])], {"x": x[:1, :, :1]}, {"axes": np.zeros(0, np.int64)}, fixed=True),
        case("reshape-copied", [node("Reshape", ["x", "shape"])], {"x": x, "shape": np.array([0, 4, -1])}),
        case("expand-to-none", [node("Expand", ["x", "shape"])], {"x": x[:, :1], "shape": np.array([2, 0, 1])}),
        case("found-scalar", [node("NonZero", ["x"])], {"x": np.array(2.5, np.float32)}, outputs={"y": INT64}),
        case("range-behind", [node("Range", ["start", "limit", "step"])], numbers),
        case("range-short", [node("Range", ["start", "limit", "step"])],
             {key: value.astype(np.int16) for key, value in (numbers | {"step": np.array(-2)}).items()}),
        *(
            case(
                f"backwards-{told}-{number}",
                [node("Slice", ["x", "start", "end", "axes", "step"])],
                rows | (given if told == "asked" else {}),
                {"axes": np.array([0]), "step": np.array([-2])} | (given if told == "known" else {}),
                fixed=told == "asked",
            )
            for told in ("known", "asked")
            for number, (start, end) in enumerate(((-9, BACK), (FAR, BACK), (-1, FAR), (BACK, BACK), (2, -5)))
            for given in [{"start": np.array([start]), "end": np.array([end])}]
        ),
        *(
            case(f"mask-{opset}", [node("Dropout", ["x"], ["y", "mask"], **attributes)], {"x": x},
                 outputs={"y": TensorProto.FLOAT, "mask": TensorProto.FLOAT if opset < 10 else TensorProto.BOOL}, opset=opset)
            for opset, attributes in ((7, {"ratio": 0.4}), (10, {"ratio": 0.4}), (13, {}))
        ),
    ]  # fmt: skip


def images() -> list[Case]:
    x = random(2, 3, 6, 7)
    weights = {"w": random(4, 3, 3, 2, seed=5)}
    sizes = {"scales": np.array([1, 1, 0.34, 2], np.float32)}
    bytes_ = np.random.default_rng(0).integers(0, 255, (1, 1, 5, 4)).astype(np.uint8)
    boxes = np.array([[[0, 0, 1, 1], [0, 0.1, 1, 1.1], [0, 5, 1, 6]]], np.float32)
    return [
        *(
            case(f"conv-{way}", [node("Conv", ["x", "w"], auto_pad=way)], {"x": x}, weights)
            for way in ("SAME_UPPER", "SAME_LOWER")
        ),
        *(
            case(
                f"spread-{way}",
                [node("ConvTranspose", ["x", "w"], auto_pad=way, strides=[4, 2], output_padding=[0, 1])],
                {"x": x},
                {"w": random(3, 2, 3, 1)},
            )
            for way in ("SAME_UPPER", "SAME_LOWER")
        ),
        *(
            case(
                f"{kind}-dilated-same",
                [node(kind, ["x"], kernel_shape=[3, 2], dilations=[2, 1], auto_pad="SAME_LOWER", strides=[2, 1])],
                {"x": x},
                opset=22,
            )
            for kind in ("MaxPool", "AveragePool", "LpPool")
        ),
        case("nearest-10", [node("Resize", ["x", "scales"])], {"x": x}, sizes, opset=10),
        case(
            "linear-bytes",
            [node("Resize", ["x", "", "scales"], mode="linear", coordinate_transformation_mode="asymmetric")],
            {"x": bytes_},
            {"scales": np.array([1, 1, 2, 2], np.float32)},
        ),
        case(
            "cropped-as-long",
            [
                node(
                    "Resize", ["x", "region", "scales"], mode="linear",
                    coordinate_transformation_mode="tf_crop_and_resize", extrapolation_value=7.0,
                )
            ],
            {"x": x[0, :, :3]},
            {"region": np.array([0, 0.1, 0.2, 1, 0.8, 1.2], np.float32), "scales": np.array([1, 1, 1.5], np.float32)},
        ),
        case(
            "boxes-all",
            [node("NonMaxSuppression", ["boxes", "scores", "most", "overlap"])],
            {"boxes": boxes, "scores": np.array([[[0.9, 0.8, 0.7]]], np.float32)},
            {"most": np.array([FAR]), "overlap": np.array([0.5], np.float32)},
            outputs={"y": INT64},
        ),
    ]  # fmt: skip


FAMILIES = (types, shapes, images)
