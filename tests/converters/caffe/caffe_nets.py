"""Small nets of the kinds that people have: residual, SSD, maxout, segmentation, and one of the first named generation."""

from collections.abc import Callable
from typing import Any

import numpy as np

from converters.caffe.caffe_files import input_layer, layer, old_weights, weights

Files = tuple[str, bytes]


def drawn(random: np.random.Generator, *shape: int) -> Any:
    return random.standard_normal(shape) * np.sqrt(2 / max(1, int(np.prod(shape[1:]))))


class Maker:
    """Layers and their weights in the making."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.text = ""
        self.blobs: dict[str, list[Any]] = {}

    def add(self, kind: str, bottoms: str, tops: str, told: str = "", name: str = "") -> str:
        self.text += layer(kind, bottoms, tops, told, name)
        return tops

    def convolve(self, bottom: str, top: str, channels: tuple[int, int], kernel: int = 3, more: str = "") -> str:
        given, made = channels
        self.blobs[top] = [drawn(self.random, made, given, kernel, kernel), self.random.standard_normal(made) * 0.1]
        told = f"num_output: {made} kernel_size: {kernel} pad: {kernel // 2} {more}"
        return self.add("Convolution", bottom, top, f"convolution_param {{ {told} }}")

    def normalise(self, blob: str, channels: int, factor: float = 999.98) -> str:
        """Add BatchNorm and Scale in place, as trainers of Caffe write them."""
        random, mean = self.random, self.random.standard_normal(channels) * factor
        self.blobs[f"{blob}_bn"] = [mean * 0.1, random.uniform(0.5, 1.5, channels) * factor, [factor]]
        self.blobs[f"{blob}_scale"] = [random.uniform(0.5, 1.5, channels), random.standard_normal(channels) * 0.1]
        self.add("BatchNorm", blob, blob, name=f"{blob}_bn")
        return self.add("Scale", blob, blob, "scale_param { bias_term: true }", f"{blob}_scale")


def residual() -> Files:
    """A residual net: batch norm with its factor, pooling that rounds up, a projection, an answer in probabilities."""
    net = Maker(1)
    net.text = 'name: "residual"\n' + input_layer("data", (10, 3, 33, 33))
    stem = net.normalise(net.convolve("data", "conv1", (3, 8), 3, "stride: 2"), 8)
    net.add("ReLU", stem, stem, name="relu1")
    net.add("Pooling", stem, "pool1", "pooling_param { pool: MAX kernel_size: 3 stride: 2 }")
    first = net.add("ReLU", net.normalise(net.convolve("pool1", "a1", (8, 16), 3, "stride: 2"), 16), "a1r")
    second = net.normalise(net.convolve(first, "a2", (16, 16)), 16)
    short = net.normalise(net.convolve("pool1", "short", (8, 16), 1, "stride: 2"), 16)
    net.add("Eltwise", f"{short} {second}", "sum", "eltwise_param { coeff: 1 coeff: 0.5 }")
    net.add("ReLU", "sum", "sum", name="relu2")
    net.add("LRN", "sum", "norm", "lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 }")
    net.add("Pooling", "norm", "pool2", "pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 }")
    net.blobs["fc"] = [drawn(net.random, 6, 16 * 3 * 3), net.random.standard_normal(6) * 0.1]
    net.add("Dropout", "pool2", "pool2", "dropout_param { dropout_ratio: 0.5 }", "drop")
    net.add("InnerProduct", "pool2", "fc", "inner_product_param { num_output: 6 }")
    net.add("Softmax", "fc", "prob")
    return net.text, weights(net.blobs)


def detector() -> Files:
    """An SSD: two scales, a normalised one, priors, and what is left of them."""
    net = Maker(2)
    net.text = input_layer("data", (1, 3, 64, 64))
    one = net.add("ReLU", net.convolve("data", "conv1", (3, 8), 3, "stride: 4"), "conv1r")
    two = net.add("ReLU", net.convolve(one, "conv2", (8, 8), 3, "stride: 2"), "conv2r")
    net.blobs["norm"] = [np.full(8, 5.0)]
    one = net.add("Normalize", one, "norm", "norm_param { across_spatial: false channel_shared: false }")
    for feature, low, high in ((one, 12, 24), (two, 24, 40)):
        for what, count in (("loc", 4 * 4), ("conf", 4 * 3)):
            made = net.convolve(feature, f"{feature}_{what}", (8, count))
            net.add("Permute", made, f"{made}_p", "permute_param { order: 0 order: 2 order: 3 order: 1 }")
            net.add("Flatten", f"{made}_p", f"{made}_f", "flatten_param { axis: 1 }")
        told = f"min_size: {low} max_size: {high} aspect_ratio: 2 flip: true clip: false offset: 0.5 "
        told += "variance: 0.1 variance: 0.1 variance: 0.2 variance: 0.2"
        net.add("PriorBox", f"{feature} data", f"{feature}_priors", f"prior_box_param {{ {told} }}")
    for what, end, axis in (("loc", "_loc_f", 1), ("conf", "_conf_f", 1), ("priors", "_priors", 2)):
        net.add("Concat", f"{one}{end} {two}{end}", what, f"concat_param {{ axis: {axis} }}")
    net.add("Reshape", "conf", "rows", "reshape_param { shape { dim: 0 dim: -1 dim: 3 } }")
    net.add("Softmax", "rows", "shares", "softmax_param { axis: 2 }")
    net.add("Flatten", "shares", "scores")
    told = "num_classes: 3 share_location: true background_label_id: 0 nms_param { nms_threshold: 0.45 top_k: 100 } "
    told += "code_type: CENTER_SIZE keep_top_k: 50 confidence_threshold: 0.25"
    net.add("DetectionOutput", "loc scores priors", "detection_out", f"detection_output_param {{ {told} }}")
    return net.text, weights(net.blobs)


def maxout() -> Files:
    """A net of maxout, whose pieces OpenCV is not asked about; weights in half precision."""
    net = Maker(3)
    net.text = 'input: "data"\ninput_shape { dim: 1 dim: 1 dim: 32 dim: 32 }\n'
    for number, bottom, channels in ((1, "data", (1, 16)), (2, "pool1", (8, 16))):
        net.convolve(bottom, f"conv{number}", channels)
        net.add("Slice", f"conv{number}", f"a{number} b{number}", "slice_param { axis: 1 }", f"slice{number}")
        net.add("Eltwise", f"a{number} b{number}", f"max{number}", "eltwise_param { operation: MAX }")
        net.add("Pooling", f"max{number}", f"pool{number}", "pooling_param { pool: MAX kernel_size: 2 stride: 2 }")
    net.blobs["fc"] = [drawn(net.random, 5, 8 * 8 * 8), np.zeros(5)]
    net.add("InnerProduct", "pool2", "fc", "inner_product_param { num_output: 5 }")
    return net.text, weights(net.blobs, half=True)


def segmentation() -> Files:
    """A fully convolutional net: 100 of padding, grouped deconvolution, a crop to the image, two answers."""
    net = Maker(4)
    net.text = 'input: "data"\ninput_dim: 1\ninput_dim: 3\ninput_dim: 24\ninput_dim: 20\n'
    net.add("ReLU", net.convolve("data", "conv1", (3, 8), 3, ""), "conv1", name="relu")
    net.text = net.text.replace("pad: 1", "pad: 10")
    net.add("Pooling", "conv1", "pool1", "pooling_param { pool: MAX kernel_size: 2 stride: 2 }")
    net.convolve("pool1", "score", (8, 4), 1)
    net.blobs["up"] = [drawn(net.random, 4, 1, 4, 4)]
    told = "num_output: 4 group: 4 kernel_size: 4 stride: 2 bias_term: false"
    net.add("Deconvolution", "score", "up", f"convolution_param {{ {told} }}")
    net.add("Crop", "up data", "cropped", "crop_param { axis: 2 offset: 9 }")
    net.add("Sigmoid", "cropped", "share")
    net.add("Pooling", "score", "mean", "pooling_param { pool: AVE global_pooling: true }")
    return net.text, weights(net.blobs)


def old() -> Files:
    """A net of the generation whose layers are called `layers`, with four axes of weights always."""
    net = Maker(5)
    blobs = {
        "conv1": [drawn(net.random, 4, 2, 3, 3), net.random.standard_normal(4) * 0.1],
        "ip": [drawn(net.random, 3, 4 * 4 * 4), net.random.standard_normal(3) * 0.1],
    }
    text = """name: "old"
input: "data"
input_dim: 1 input_dim: 2 input_dim: 8 input_dim: 8
layers { name: "conv1" type: CONVOLUTION bottom: "data" top: "conv1" blobs_lr: 1 blobs_lr: 2 weight_decay: 1
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "gaussian" std: 0.01 } } }
layers { name: "relu" type: RELU bottom: "conv1" top: "conv1" }
layers { name: "pool" type: POOLING bottom: "conv1" top: "pool" pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layers { name: "drop" type: DROPOUT bottom: "pool" top: "pool" }
layers { name: "ip" type: INNER_PRODUCT bottom: "pool" top: "ip" inner_product_param { num_output: 3 } }
layers { name: "prob" type: SOFTMAX bottom: "ip" top: "prob" }
"""
    return text, old_weights(blobs)


NETS: dict[str, Callable[[], Files]] = {each.__name__: each for each in (residual, detector, maxout, segmentation, old)}
