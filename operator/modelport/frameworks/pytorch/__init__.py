"""PyTorch: weights with a factory that builds the model, and models that are stored whole."""

from modelport.conversion.base import Converter, Format, Framework
from modelport.conversion.onnx_options import OnnxOptions
from modelport.frameworks.pytorch.folders import WEIGHTS, detect_huggingface
from modelport.frameworks.pytorch.pickles import SUFFIXES, detect_weights
from modelport.frameworks.pytorch.tensors import SUFFIX as SAFETENSORS
from modelport.frameworks.pytorch.tensors import detect_safetensors

FORMATS = (
    Format(
        "pytorch-state-dict",
        "PyTorch weights (torch.save of a state dict) with a factory",
        detect_weights,
        suffixes=SUFFIXES,
        needs=("code", "inputs"),
    ),
    Format(
        "safetensors",
        "PyTorch weights (safetensors, one file or several with their index) with a factory",
        detect_safetensors,
        suffixes=(SAFETENSORS,),
        needs=("code", "inputs"),
    ),
    Format(
        "huggingface",
        "HuggingFace folder (config.json and weights) for the classes of transformers",
        detect_huggingface,
        suffixes=WEIGHTS,
    ),
)
# each of PyTorch's exporters where the first path takes the other: both have faults that the other has not
EXPORTERS = {"": 10, "dynamo": 20, "trace": 30}

FRAMEWORK = Framework(
    "pytorch",
    "PyTorch",
    formats=FORMATS,
    converters=tuple(
        Converter(each.name, "onnx", OnnxOptions, cost=cost, by=by)
        for each in FORMATS
        for by, cost in EXPORTERS.items()
    ),
)
