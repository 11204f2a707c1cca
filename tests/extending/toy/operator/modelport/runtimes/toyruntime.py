"""Toy runtime: numpy."""

from modelport.conversion.base import Runtime

RUNTIME = Runtime("toyruntime", "Toy runtime", formats=("toy-compiled",))
