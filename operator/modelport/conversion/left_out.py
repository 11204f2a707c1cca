"""Formats that are known and not read: files that nothing else claims are told by name, with what to do instead.

Magic numbers are from the formats' own specifications or sources; what has none is told by its suffix.
"""

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from modelport.api.reasons import Reason
from modelport.conversion.detection import Tree
from modelport.errors import ModelportError

ORIGIN = "give the model that it was made of"
Look = Callable[[Tree, str], bool]


class LeftOut(NamedTuple):
    """A format that is known and not read."""

    name: str
    instead: str
    """What a user can do."""
    looks: tuple[Look, ...]
    """Any of them tells such a file."""


def begins(*magics: bytes, at: int = 0) -> Look:
    """Return what tells files by bytes at an offset."""
    return lambda tree, path: any(tree.read(path)[at : at + len(magic)] == magic for magic in magics)


def holds(pattern: bytes) -> Look:
    """Return what tells files by the first thing that is in them, behind white space."""
    beginning = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*" + pattern, re.DOTALL)
    return lambda tree, path: beginning.match(tree.read(path)) is not None


def ends(*suffixes: str) -> Look:
    """Return what tells files by their names."""
    return lambda _tree, path: path.lower().endswith(suffixes)


_XML = rb"(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*(?:<!DOCTYPE[^>]*>\s*)?"

LEFT_OUT: tuple[LeftOut, ...] = (
    LeftOut(
        "Core ML",
        "it runs on Apple's systems alone; " + ORIGIN + " (PyTorch, Keras, ONNX)",
        (ends(".mlmodel", ".mlmodelc", "com.apple.coreml/model.mlmodel", ".mlpackage"),),
    ),
    LeftOut(
        "TensorRT engine",
        "it holds compiled kernels of one GPU; give the ONNX file that trtexec or the builder took",
        (begins(b"ptrt"), ends(".plan", ".engine", ".trt")),
    ),
    LeftOut(
        "GGUF or GGML",
        "llama.cpp serves it; for Modelport give the Hugging Face folder (config.json and safetensors) that it was made of",
        (begins(b"GGUF", b"ggml", b"lmgg", b"tjgg", b"algg", b"fmgg"), ends(".gguf", ".ggml")),
    ),
    LeftOut(
        "PMML",
        "give the pickle, XGBoost, LightGBM or H2O model that it was exported from",
        (holds(_XML + rb"<(?:\w+:)?PMML\b"), ends(".pmml")),
    ),
    LeftOut(
        "OpenVINO IR",
        ORIGIN + " (ONNX, PyTorch, TensorFlow)",
        (holds(_XML + rb"<net\s[^>]*\bversion="),),
    ),
    LeftOut(
        "Darknet",
        "load the .weights in a PyTorch implementation of the network and give its weights with that code, or export ONNX from it",
        (holds(rb"(?:#[^\n]*\n\s*)*\[net(?:work)?\]"), ends(".weights")),
    ),
    LeftOut(
        "TensorFlow.js",
        "give the SavedModel or Keras file that tensorflowjs_converter took",
        (holds(rb'\{\s*"(?:format"\s*:\s*"(?:layers|graph)-model"|modelTopology"|weightsManifest")'),),
    ),
    LeftOut(
        "ncnn",
        "give the ONNX or PyTorch model that it was made of",
        (holds(rb"7767517\s"), begins(b"\xdd\x85\x76\x00")),
    ),
    LeftOut(
        "ExecuTorch",
        "give the .pt2 of torch.export that it was lowered from",
        (begins(b"ET12", b"ET13", at=4), ends(".pte")),
    ),
    LeftOut(
        "ONNX Runtime's own format (.ort)",
        "give the .onnx file that it was made of",
        (begins(b"ORTM", at=4), ends(".ort")),
    ),
    LeftOut("MNN", ORIGIN + " (ONNX, TensorFlow, Caffe)", (ends(".mnn"),)),
    LeftOut("TNN", ORIGIN + " (ONNX, TensorFlow, Caffe)", (ends(".tnnproto", ".tnnmodel"),)),
    LeftOut("MindSpore", "export it with mindspore.export(..., file_format='ONNX')", (ends(".mindir", ".ms"),)),
    LeftOut(
        "Paddle Lite", "give the inference model (.pdmodel or .json, and .pdiparams) that opt took", (ends(".nb"),)
    ),
    LeftOut("RKNN", "give the ONNX file that rknn-toolkit took", (begins(b"RKNN"), ends(".rknn"))),
    LeftOut("Qualcomm DLC", "give the ONNX file that the SDK's converter took", (ends(".dlc", "dlc.metadata"),)),
    LeftOut("Hailo HEF", "give the ONNX file that the compiler took", (begins(b"\x01HEF"), ends(".hef"))),
    LeftOut(
        "Caffe2",
        "load it in PyTorch 1.x and export ONNX from there, or give the PyTorch model that it was made of",
        (ends("predict_net.pb", "predict_net.pbtxt", "init_net.pb"),),
    ),
    LeftOut(
        "CNTK",
        "save it with model.save(path, format=C.ModelFormat.ONNX)",
        (ends(".cntk", ".dnn"), begins(b"BCN\0", b"B\0C\0N\0")),
    ),
    LeftOut(
        "Torch 7",
        "load it with a PyTorch before 1.0 (torch.utils.serialization.load_lua) and save its weights",
        (ends(".t7", ".net.t7"),),
    ),
    LeftOut("Chainer", "build the network in PyTorch, or export ONNX with onnx-chainer", (ends(".chainermodel"),)),
    LeftOut(
        "JAX, Flax or Orbax",
        "export a SavedModel with jax2tf, or ONNX with jax2onnx",
        (ends(".msgpack", "checkpoint/_metadata", "_checkpoint_metadata"),),
    ),
    LeftOut(
        "R object (saveRDS, save)",
        "save the model as its library does: xgb.save, lgb.save, h2o.download_mojo, torch's jit_save; docs/r.md",
        (
            begins(b"RDX2\n", b"RDX3\n", b"RDA2\n", b"RDA3\n", b"X\n\0\0\0\2", b"X\n\0\0\0\3"),
            ends(".rds", ".rda", ".rdata"),
        ),
    ),
    LeftOut(
        "MATLAB workspace or network (.mat)",
        "export it in MATLAB: exportONNXNetwork(net, 'model.onnx')",
        (begins(b"MATLAB 5.0 MAT-file", b"MATLAB 7.3 MAT-file"), ends(".mat", ".mlx")),
    ),
    LeftOut(
        "Weka",
        "train it with a library whose files are read, or export it from there",
        (begins(b"\xac\xed\x00\x05sr\x00" + b"\x15weka"), ends(".weka")),
    ),
    LeftOut(
        "Spark ML or MLeap",
        "export the model itself: XGBoost's nativeBooster.saveModel, LightGBM's saveNativeModel, H2O's MOJO",
        (ends("metadata/part-00000", "bundle.json"),),
    ),
    LeftOut(
        "Keras architecture without weights (JSON)",
        "put its weights beside it: .weights.h5, .h5 or a checkpoint",
        (holds(rb'\{.*"class_name"\s*:\s*"(?:Sequential|Functional|Model|Graph)"'),),
    ),
    LeftOut(
        "compiled library",
        "its code is of one machine and unknown content; " + ORIGIN,
        (begins(b"\x7fELF", b"MZ\x90\0", b"\xcf\xfa\xed\xfe"),),
    ),
)


def refuse_left_out(tree: Tree, paths: Iterable[str]) -> None:
    """Raise ModelportError (UnsupportedFormat) if one of these files has a format that is known and not read."""
    for path in paths:
        for each in LEFT_OUT:
            if any(look(tree, path) for look in each.looks):
                message = f"{path:.200}: {each.name}, which is not read; {each.instead}"
                raise ModelportError(Reason.UNSUPPORTED_FORMAT, message)
