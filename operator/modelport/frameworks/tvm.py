"""TVM: models compiled to machine code, for programs that link a small runtime alone."""

from typing import Annotated

from msgspec import Meta

from modelport.conversion.base import Converter, Format, Framework, Options
from modelport.conversion.cpu import CpuLevel

VERSION = "0.27"
"""Of TVM: records of another one are another database."""


class TvmOptions(Options, frozen=True, kw_only=True):
    """Options of the compiler."""

    cpu: Annotated[
        CpuLevel, Meta(description="Instructions that the code may use; only machines that have them can run it.")
    ] = "x86-64-v2"
    threads: Annotated[
        int, Meta(description="Threads that tuned code is made for, and measured with.", ge=1, le=256)
    ] = 1
    tuning_trials: Annotated[
        int,
        Meta(description="Programs to measure in search of faster ones, for fixed shapes; 0: none.", ge=0, le=100_000),
    ] = 0

    def tuning_key(self) -> str:
        """Return the name of the records of all programs for such machines."""
        return f"{VERSION}-{self.cpu}-{self.threads}" if self.tuning_trials else ""


FRAMEWORK = Framework(
    "tvm",
    "TVM",
    formats=(Format("tvm", "TVM model (model.so, model.params, and its Relax program in model.json)"),),
    converters=(Converter("onnx", "tvm", TvmOptions, cost=10),),
    packages=("binutils",),  # ld, which makes model.so of object files
)
