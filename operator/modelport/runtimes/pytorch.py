"""PyTorch serves TorchScript, programs of torch.export, and modules whose code lies beside their weights."""

from modelport.conversion.base import Runtime

RUNTIME = Runtime("pytorch", "PyTorch", ("torchscript", "pytorch-export", "pytorch-module"))
