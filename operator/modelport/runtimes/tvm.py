"""TVM's runtime serves what TVM compiled; it holds no compiler."""

from modelport.conversion.base import Runtime

RUNTIME = Runtime("tvm", "TVM", ("tvm",))
