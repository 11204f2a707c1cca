"""PyTorch: weights with a factory that builds the model, and models that are stored whole."""

from modelport.conversion.base import Converter, Format, Framework, Options
from modelport.conversion.onnx_options import OnnxOptions
from modelport.frameworks.pytorch.archives import detect_program, detect_script
from modelport.frameworks.pytorch.folders import WEIGHTS, detect_huggingface
from modelport.frameworks.pytorch.pickles import SUFFIXES, detect_module, detect_weights
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
        may_execute="auto_map",
    ),
    Format(
        "torchscript",
        "TorchScript (torch.jit.save of a traced or scripted module)",
        detect_script,
        suffixes=SUFFIXES,
        holds_graph=True,
        needs=("inputs",),
    ),
    Format(
        "pytorch-module",
        "PyTorch module, saved whole (torch.save of the module)",
        detect_module,
        suffixes=SUFFIXES,
        executes_code=True,
        needs=("inputs",),
    ),
    Format(
        "pytorch-export",
        "program of torch.export (.pt2)",
        detect_program,
        suffixes=(".pt2",),
        holds_graph=True,
        may_execute="pickled constants",
    ),
)
# PyTorch has two exporters, and each has faults that the other has not: the one that the first path does not take
EXPORTERS = {"": 10, "other-exporter": 20}
CAPTURED = "pytorch-export"
"""Its graph is there already; only one exporter takes it."""
GRAPHS = ("torchscript", CAPTURED)
"""Of PyTorch's own, which need no code of the model's."""
MODULE = "pytorch-module"

FRAMEWORK = Framework(
    "pytorch",
    "PyTorch",
    formats=FORMATS,
    converters=(
        *(
            Converter(each.name, "onnx", OnnxOptions, cost=cost, by=by)
            for each in FORMATS
            for by, cost in EXPORTERS.items()
            if not (by and each.name == CAPTURED)
        ),
        *(
            Converter(each.name, target, Options, cost=1 if each.name == target else 10)
            for each in FORMATS
            for target in GRAPHS
        ),
        Converter(MODULE, MODULE, Options, cost=1),
        *(Converter("onnx", target, Options, cost=10) for target in (*GRAPHS, MODULE)),
    ),
)
