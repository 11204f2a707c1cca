"""Nets of one layer or a few, for each kind of layer and parameter, with weights by chance."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from converters.caffe.caffe_files import input_layer, layer

IMAGE = (1, 3, 4, 5)
VARIANCE = "variance: 0.1 variance: 0.1 variance: 0.2 variance: 0.2"


class Case(NamedTuple):
    """A net, and what is asked of it."""

    name: str
    text: str
    blobs: dict[str, list[Any]]
    is_positive: bool = False
    """Whether numbers above 0.1 are asked alone."""


def cases(seed: int = 7) -> list[Case]:
    random = np.random.default_rng(seed)
    makers = (windows, matrices, unary, affine, several, moves, shapes, measures, priors, detections)
    found = [case for maker in makers for case in maker(random)]
    assert len({case.name for case in found}) == len(found)
    return found


def one(kind: str, parameters: str = "", *blobs: Any, shape: Any = IMAGE, positive: bool = False) -> Case:
    text = input_layer("data", shape) + layer(kind, "data", "y", parameters)
    named: dict[str, list[Any]] = {"y": list(blobs)} if blobs else {"none": [np.ones(1)]}
    return Case(f"{kind} {list(shape)} {parameters}", text, named, positive)


def windows(random: np.random.Generator) -> Iterator[Case]:
    normal = random.standard_normal
    for _ in range(12):
        group, dilation = int(random.choice([1, 1, 2, 4])), int(random.integers(1, 3))
        inputs, outputs = (group * int(random.integers(1, 4)) for _ in "io")
        (kh, kw), (sh, sw), (ph, pw) = random.integers(1, 5, 2), random.integers(1, 4, 2), random.integers(0, 3, 2)
        bias = bool(random.integers(2))
        told = (
            f"convolution_param {{ num_output: {outputs} group: {group} kernel_h: {kh} kernel_w: {kw} stride_h: {sh} "
            f"stride_w: {sw} pad_h: {ph} pad_w: {pw} dilation: {dilation} bias_term: {str(bias).lower()} }}"
        )
        more = [normal(outputs)] if bias else []
        yield one("Convolution", told, normal((outputs, inputs // group, kh, kw)), *more, shape=(1, inputs, 13, 14))
        yield one("Deconvolution", told, normal((inputs, outputs // group, kh, kw)), *more, shape=(1, inputs, 7, 6))
    for _ in range(40):
        method, rounding = (
            random.choice(["MAX", "AVE"]),
            random.choice(["", "", "ceil_mode: false", "round_mode: FLOOR"]),
        )
        (kh, kw), size = random.integers(2, 5, 2), random.integers(5, 14, 2)
        (sh, sw), ph, pw = random.integers(1, 4, 2), random.integers(0, kh), random.integers(0, kw)
        told = (
            f"pooling_param {{ pool: {method} kernel_h: {kh} kernel_w: {kw} stride_h: {min(sh, kh)} "
            f"stride_w: {min(sw, kw)} pad_h: {ph} pad_w: {pw} {rounding} }}"
        )
        yield one("Pooling", told, shape=(1, 2, *map(int, size)))
    for method in ("MAX", "AVE"):
        yield one("Pooling", f"pooling_param {{ pool: {method} global_pooling: true }}", shape=(1, 3, 5, 7))
    for method in ("MAX", "AVE"):
        for told in ("kernel_size: 2 stride: 2", "kernel_size: 4 stride: 2 pad: 1", "kernel_size: 3 stride: 2 pad: 2"):
            yield one("Pooling", f"pooling_param {{ pool: {method} {told} }}", shape=(1, 3, 1, 2))
    for region in ("ACROSS_CHANNELS", "WITHIN_CHANNEL"):
        for size in (3, 5):
            for k in (1, 2):
                told = f"lrn_param {{ local_size: {size} alpha: 0.3 beta: 0.7 k: {k} norm_region: {region} }}"
                yield one("LRN", told, shape=(1, 7, 6, 5))
        for told in ("", "local_size: 3", "alpha: 0.3"):
            yield one("LRN", f"lrn_param {{ {told} norm_region: {region} }}", shape=(1, 7, 6, 5))


def matrices(random: np.random.Generator) -> Iterator[Case]:
    normal = random.standard_normal
    yield one("InnerProduct", "inner_product_param { num_output: 4 }", normal((4, 60)), normal(4))
    yield one("InnerProduct", "inner_product_param { num_output: 4 axis: 2 }", normal((4, 20)), normal(4))
    told = "inner_product_param { num_output: 4 axis: -1 bias_term: false }"
    yield one("InnerProduct", told, normal((4, 5)))
    yield one("InnerProduct", "inner_product_param { num_output: 4 transpose: true }", normal((60, 4)), normal(4))
    yield one("Embed", "embed_param { input_dim: 9 num_output: 4 }", normal((9, 4)), normal(4), positive=True)
    told = "embed_param { input_dim: 9 num_output: 4 bias_term: false }"
    yield one("Embed", told, normal((9, 4)), shape=(1, 6), positive=True)
    told = "convolution_param { num_output: 3 kernel_size: 2 pad: 1 stride: 2 }"
    yield one("Convolution", told, normal((3, 2, 2, 2, 2)), normal(3), shape=(1, 2, 5, 6, 7))
    yield one("Convolution", told, normal((3, 2, 2)), normal(3), shape=(1, 2, 9))
    told = "convolution_param { num_output: 4 kernel_size: 3 }"
    yield one("DepthwiseConvolution", told, normal((4, 1, 3, 3)), normal(4), shape=(1, 4, 9, 9))
    told = "convolution_param { num_output: 4 group: 4 kernel_size: 3 }"
    yield one("ConvolutionDepthwise", told, normal((4, 1, 3, 3)), normal(4), shape=(1, 4, 9, 9))


def unary(_: np.random.Generator) -> Iterator[Case]:
    for kind in ("AbsVal", "BNLL", "ELU", "Exp", "Power", "ReLU", "ReLU6", "Sigmoid", "Swish", "TanH", "Dropout"):
        yield one(kind)
    yield one("Clip", "clip_param { min: -0.5 max: 0.7 }")
    yield one("ELU", "elu_param { alpha: 0.5 }")
    yield one("Exp", "exp_param { base: 2 scale: 0.5 shift: 0.25 }")
    yield one("Exp", "exp_param { scale: 0.5 shift: 1.25 }")
    yield one("Log", positive=True)
    yield one("Log", "log_param { base: 2 scale: 0.5 shift: 0.25 }", positive=True)
    for told in ("power: 2 scale: 0.5 shift: 1", "scale: 0.5 shift: 1", "power: 0", "power: 3 scale: 0 shift: 2"):
        yield one("Power", f"power_param {{ {told} }}")
    for told in ("power: 0.5 scale: 0.5 shift: 1", "power: -1 shift: 1"):
        yield one("Power", f"power_param {{ {told} }}", positive=True)
    yield one("ReLU", "relu_param { negative_slope: 0.1 }")
    yield one("Swish", "swish_param { beta: 2 }")
    yield one("Threshold", "threshold_param { threshold: 0.2 }")
    yield one("Dropout", "dropout_param { dropout_ratio: 0.3 scale_train: false }")


def affine(random: np.random.Generator) -> Iterator[Case]:
    normal = random.standard_normal
    for shape in (IMAGE, (1, 3)):
        yield one("PReLU", "", normal(3), shape=shape)
        for factor in (1, 0, 37.5):
            told = f"batch_norm_param {{ eps: {0.001 * (1 + factor)} }}"
            yield one("BatchNorm", told, normal(3), np.abs(normal(3)), [factor], shape=shape)
        yield one("Scale", "scale_param { bias_term: true }", normal(3), normal(3), shape=shape)
    yield one("PReLU", "prelu_param { channel_shared: true }", normal(1))
    yield one("BatchNorm", "", normal(3), np.abs(normal(3)), [2.0])
    told = "batch_norm_param { scale_bias: true }"
    yield one("BatchNorm", told, normal(3), np.abs(normal(3)), [1.0], normal(3), normal(3))
    for told in ("", "bn_param { eps: 0.01 frozen: true }"):
        yield one("BN", told, normal((1, 3)), normal((1, 3)), normal((1, 3)), np.abs(normal((1, 3))))
    yield one("Scale", "", normal(3))
    yield one("Scale", "scale_param { axis: 2 bias_term: true }", normal(4), normal(4))
    yield one("Scale", "scale_param { num_axes: 2 bias_term: true }", normal((3, 4)), normal((3, 4)))
    yield one("Scale", "scale_param { num_axes: -1 }", normal((3, 4, 5)))
    yield one("Scale", "scale_param { num_axes: 0 bias_term: true }", normal(()), normal(()))
    yield one("Bias", "", normal(3))
    told = "convolution_param { num_output: 4 kernel_size: 3 pad: 1 }"
    text = (
        input_layer("data", IMAGE) + layer("Convolution", "data", "y", told) + layer("BatchNorm", "y", "y", name="bn")
    )
    text += layer("Scale", "y", "y", "scale_param { bias_term: true }", name="sc") + layer("ReLU", "y", "y", name="re")
    blobs = {
        "y": [normal((4, 3, 3, 3)), normal(4)],
        "bn": [normal(4), np.abs(normal(4)), [2.0]],
        "sc": [normal(4), normal(4)],
    }
    yield Case("in place", text, blobs)


def joined(name: str, kind: str, shapes: dict[str, Any], told: str = "", tops: str = "y") -> Case:
    text = "".join(input_layer(each, shape) for each, shape in shapes.items())
    text += layer(kind, " ".join(shapes), tops, told, name="made")
    return Case(f"{kind} {name} {told}", text, {"none": [np.ones(1)]})


def several(_: np.random.Generator) -> Iterator[Case]:
    for kind, told in (("Scale", "scale_param { axis: 0 }"), ("Bias", "bias_param { axis: 0 }")):
        yield joined("of two", kind, {"a": IMAGE, "b": IMAGE[:2]}, told)
    yield joined("of two equal", "Scale", {"a": IMAGE, "b": IMAGE}, "scale_param { axis: 0 }")
    for number in (1, 2, 3):
        shapes = dict.fromkeys("abc"[:number], IMAGE)
        for operation in ("PROD", "SUM", "MAX"):
            yield joined(f"{number}", "Eltwise", shapes, f"eltwise_param {{ operation: {operation} }}")
        coefficients = " ".join(f"coeff: {each}" for each in (0.5, -1, 2)[:number])
        yield joined(f"{number}", "Eltwise", shapes, f"eltwise_param {{ {coefficients} }}")
    yield joined("flat", "Axpy", {"a": (1, 3), "x": IMAGE, "z": IMAGE})
    yield joined("of images", "Axpy", {"a": (1, 3, 1, 1), "x": IMAGE, "z": IMAGE})
    for told in ("", "axis: 2", "axis: -1", "concat_dim: 1", "axis: 0"):
        yield joined("two", "Concat", {"a": IMAGE, "b": IMAGE}, f"concat_param {{ {told} }}")


def moves(random: np.random.Generator) -> Iterator[Case]:
    image = (1, 6, 4, 5)
    cut = {"slice_point: 1 slice_point: 4": "a b c", "": "a b c", "axis: 2 slice_point: 1": "a b"}
    for told, tops in {**cut, "slice_dim: 3 slice_point: 1": "a b"}.items():
        yield joined("pieces", "Slice", {"data": image}, f"slice_param {{ {told} }}", tops)
    text = input_layer("data", image)
    text += layer("Convolution", "data", "q", "convolution_param { num_output: 6 kernel_size: 3 }")
    text += layer("Slice", "q", "a b", name="s") + layer("Eltwise", "a b", "y", "eltwise_param { operation: MAX }")
    yield Case("maximum of pieces", text, {"q": [random.standard_normal((6, 6, 3, 3)), random.standard_normal(6)]})
    for told in ("offset: 1", "axis: 2 offset: 1 offset: 0", ""):
        yield joined("image", "Crop", {"a": image, "b": (1, 6, 2, 3)}, f"crop_param {{ {told} }}")
    yield joined("last", "Crop", {"a": image, "b": (1, 6, 4, 2)}, "crop_param { axis: 3 offset: 2 }")
    yield joined("all", "Crop", {"a": image, "b": (1, 3, 2, 3)}, "crop_param { axis: 1 offset: 2 offset: 1 offset: 2 }")
    yield joined("two", "Split", {"data": image}, tops="a b")


def shapes(_: np.random.Generator) -> Iterator[Case]:
    image = (1, 6, 4, 5)
    reshapes = ("dim: 0 dim: -1", "dim: 0 dim: 2 dim: -1 dim: 5", "dim: -1 dim: 30", "dim: 0 dim: 0 dim: 20")
    for told in reshapes:
        yield one("Reshape", f"reshape_param {{ shape {{ {told} }} }}", shape=image)
    for told in ("dim: -1 } axis: 1", "dim: 5 dim: 1 } axis: -2", "dim: 5 dim: 4 } axis: 2 num_axes: 2"):
        yield one("Reshape", f"reshape_param {{ shape {{ {told} }}", shape=image)
    yield one("Reshape", "reshape_param { shape { dim: 1 dim: 1 } axis: 2 num_axes: 0 }", shape=image)
    for told in ("", "axis: 2", "axis: 1 end_axis: 2", "axis: -3 end_axis: -2", "axis: 0"):
        yield one("Flatten", f"flatten_param {{ {told} }}", shape=image)
    for told in ("order: 0 order: 2 order: 3 order: 1", "order: 0 order: 3", "order: 1 order: 0"):
        yield one("Permute", f"permute_param {{ {told} }}", shape=image)
    yield one("Tile", "tile_param { axis: 1 tiles: 3 }", shape=image)
    yield one("Upsample", "upsample_param { scale: 3 }", shape=image)
    yield one("ShuffleChannel", "shuffle_channel_param { group: 3 }", shape=image)


def measures(random: np.random.Generator) -> Iterator[Case]:
    sizes = ("height: 9 width: 11", "zoom_factor: 3", "shrink_factor: 2", "shrink_factor: 2 zoom_factor: 3")
    for told in (
        *sizes,
        "height: 5 width: 3 pad_beg: -1 pad_end: -1",
        "height: 1 width: 1",
        "zoom_factor: 2 pad_end: -1",
    ):
        yield one("Interp", f"interp_param {{ {told} }}", shape=(1, 3, 7, 9))
    for told in ("", "axis: 2", "axis: -1"):
        yield one("Softmax", f"softmax_param {{ {told} }}")
    yield one("Softmax", shape=(1, 7))
    for told in ("", "axis: 1", "axis: 2 top_k: 2", "top_k: 3 out_max_val: true", "out_max_val: true axis: 1"):
        yield one("ArgMax", f"argmax_param {{ {told} }}")
    for told in (
        "",
        "axis: 1",
        "axis: 2 operation: MEAN coeff: 2",
        "axis: 1 operation: ASUM",
        "axis: -1 operation: SUMSQ",
    ):
        yield one("Reduction", f"reduction_param {{ {told} }}")
    for told in ("", "across_channels: true", "normalize_variance: false", "eps: 0.1"):
        yield one("MVN", f"mvn_param {{ {told} }}")
    norms = {"": 1, "across_spatial: false channel_shared: false": 3, "across_spatial: true channel_shared: false": 3}
    for told, count in {**norms, "across_spatial: false": 1, "eps: 0.5 across_spatial: false": 1}.items():
        yield one("Normalize", f"norm_param {{ {told} }}", random.standard_normal(count))


def priors(_: np.random.Generator) -> Iterator[Case]:
    for told in (
        "min_size: 4 clip: false",
        "min_size: 4 aspect_ratio: 2 flip: false clip: false step: 8",
        "min_size: 4 min_size: 6 max_size: 9 max_size: 10 aspect_ratio: 2 clip: false",
        "min_size: 4 min_size: 6 aspect_ratio: 2 clip: false",
        "min_size: 4 clip: false img_size: 40",
        "min_size: 4 clip: false step_h: 7 step_w: 9 offset: 0.25",
        "min_size: 4 max_size: 8 aspect_ratio: 1 aspect_ratio: 2 aspect_ratio: 2 aspect_ratio: 0.5 flip: true clip: true",
    ):
        yield joined("", "PriorBox", {"a": IMAGE, "b": (1, 3, 20, 30)}, f"prior_box_param {{ {VARIANCE} {told} }}")
    yield joined(
        "no variance", "PriorBox", {"a": IMAGE, "b": (1, 3, 20, 30)}, "prior_box_param { min_size: 4 clip: false }"
    )


def detections(_: np.random.Generator) -> Iterator[Case]:
    for kinds, told in (
        (
            3,
            "nms_param { nms_threshold: 0.45 top_k: 20 } code_type: CENTER_SIZE keep_top_k: 15 confidence_threshold: 0.3",
        ),
        (
            3,
            "nms_param { nms_threshold: 0.45 top_k: 400 } code_type: CENTER_SIZE keep_top_k: 200 confidence_threshold: 0.01",
        ),
        (4, "nms_param { nms_threshold: 0.3 top_k: 30 } code_type: CORNER keep_top_k: 25 confidence_threshold: 0.2"),
        (
            4,
            "nms_param { nms_threshold: 0.3 top_k: 30 } code_type: CORNER_SIZE keep_top_k: 25 confidence_threshold: 0.2",
        ),
        (
            3,
            "nms_param { nms_threshold: 0.45 top_k: 50 } code_type: CENTER_SIZE keep_top_k: -1 confidence_threshold: 0.3",
        ),
        (3, "nms_param { nms_threshold: 0.45 top_k: 50 } code_type: CENTER_SIZE keep_top_k: 20"),
        (
            3,
            "nms_param { nms_threshold: 0.45 top_k: 50 } code_type: CENTER_SIZE keep_top_k: 20 confidence_threshold: 0.9999999",
        ),
        (
            3,
            "nms_param { nms_threshold: 0.45 top_k: 50 } keep_top_k: 25 confidence_threshold: 0.3 variance_encoded_in_target: true",
        ),
    ):
        yield detection(kinds, f"share_location: true background_label_id: 0 {told}")
    rest = "nms_param { nms_threshold: 0.45 top_k: 50 } code_type: CENTER_SIZE keep_top_k: 25 confidence_threshold: 0.3"
    yield detection(3, f"share_location: false background_label_id: 0 {rest}", is_shared=False)
    yield detection(3, f"share_location: true background_label_id: 1 {rest}")
    yield detection(3, f"share_location: true background_label_id: -1 {rest}")


def detection(kinds: int, told: str, *, is_shared: bool = True) -> Case:
    """Return the head of an SSD, with boxes and scores as inputs."""
    boxes = 5 * 5 * 4
    text = input_layer("map", (1, 3, 5, 5)) + input_layer("image", (1, 3, 50, 50))
    text += input_layer("loc", (1, boxes * 4 * (1 if is_shared else kinds))) + input_layer("conf", (1, boxes * kinds))
    size = f"prior_box_param {{ min_size: 14 max_size: 20 aspect_ratio: 2 clip: false {VARIANCE} }}"
    text += layer("PriorBox", "map image", "priors", size)
    text += layer("Reshape", "conf", "rows", f"reshape_param {{ shape {{ dim: 0 dim: -1 dim: {kinds} }} }}")
    text += layer("Softmax", "rows", "shares", "softmax_param { axis: 2 }") + layer("Flatten", "shares", "scores")
    text += layer(
        "DetectionOutput", "loc scores priors", "y", f"detection_output_param {{ num_classes: {kinds} {told} }}"
    )
    return Case(f"DetectionOutput {kinds} {told}", text, {"none": [np.ones(1)]})
