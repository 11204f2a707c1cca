"""The engines' programs and images: KEDA and metrics-server from their Go modules, Prometheus from Debian's package."""

from pathlib import Path

from devcluster import binaries
from devcluster.binaries import GoModule, GoProgram
from devcluster.images.builder import BASE
from devcluster.images.declarations import Image
from devcluster.images.scratch import provide_scratch_image
from devcluster.paths import REPOSITORY, SOURCE, Paths

ENGINES = SOURCE / "engines"
KEDA_MODULE = "github.com/kedacore/keda/v2"
METRICS_SERVER_MODULE = "sigs.k8s.io/metrics-server"
_MODULE = GoModule("engines", ENGINES / "go", ((f"{KEDA_MODULE}/version.Version", KEDA_MODULE),))
KEDA = GoProgram("keda", _MODULE, f"{KEDA_MODULE}/cmd/operator")
ADAPTER = GoProgram("keda-adapter", _MODULE, f"{KEDA_MODULE}/cmd/adapter")
METRICS_SERVER = GoProgram("metrics-server", _MODULE, f"{METRICS_SERVER_MODULE}/cmd/metrics-server")
PROGRAMS = (KEDA, ADAPTER, METRICS_SERVER)
PROMETHEUS = Image(
    name="prometheus",
    dockerfile=str((ENGINES / "prometheus" / "Dockerfile").relative_to(REPOSITORY)),
    base=BASE,
    args=(),
    inputs=(),
)


def build(paths: Paths) -> None:
    """Build the programs that the cache lacks; the first time takes about nine minutes of one core."""
    binaries.build(paths, *PROGRAMS)


def provide_images(paths: Paths) -> str:
    """Make sure that containerd has the programs as images; return the tag of all of them."""
    tag = binaries.module_key(_MODULE)
    for program, binary in zip(PROGRAMS, binaries.build(paths, *PROGRAMS), strict=True):
        provide_scratch_image(binary, f"{image_name(program)}:{tag}", paths)
    return tag


def source_folder(dependency: str) -> Path:
    """Return the folder with the files of an engine's Go module."""
    return binaries.source_folder(_MODULE, dependency)


def image_name(program: GoProgram) -> str:
    """Return the name of a program's image, without its tag. In the image the program has its own name."""
    return f"localhost/modelport-cluster/{program.name}"
