"""What a user asks for: `spec` of a ModelConversion."""

from typing import Annotated, Any, Literal

from msgspec import Meta

from modelport.api.base import Digest, Dtype, InputDimension, Object, Quantity, TensorName, Uri

FormatName = Annotated[str, Meta(max_length=64)]
"""One of those that frameworks declare; `modelport.crd` lists them in the schema."""


class SecretReference(Object, frozen=True, kw_only=True):
    """A Secret of the same namespace."""

    name: Annotated[str, Meta(description="Name of the Secret.", min_length=1, max_length=253)]


class Location(Object, frozen=True, kw_only=True):
    """Where bytes are, and what they must be."""

    uri: Annotated[
        Uri,
        Meta(
            description="s3://, https://, or http:// (which needs a digest): a file, an archive, or a prefix ending in /."
        ),
    ]
    digest: Annotated[
        Digest | None,
        Meta(description="SHA-256 of the file, as sha256sum prints it, after 'sha256:'. Checked when given."),
    ] = None
    secret_ref: Annotated[
        SecretReference | None,
        Meta(
            description="AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL, AWS_REGION; username and password for https."
        ),
    ] = None


Role = Literal["source", "code", "requirements", "calibration", "data"]
"""What is imported from a location: the model, its code, wheels that the code needs, samples that a converter measures
ranges of numbers by, and samples of the user's own to verify with."""

FIELDS: dict[Role, str] = {
    "source": "spec.source",
    "code": "spec.source.code",
    "requirements": "spec.source.code.requirements",
    "calibration": "spec.target.calibration",
    "data": "spec.verification.data",
}
"""Where the locations stand, by role."""

PLACE = r"^[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_.]*$"
"""module:name of something in the code."""


class Checkpoint(Object, frozen=True, kw_only=True):
    """Which weights inside a checkpoint."""

    key: Annotated[
        Annotated[str, Meta(max_length=256)] | None,
        Meta(description="Dotted path, such as model_state_dict; a SavedModel's signature; a graph's outputs."),
    ] = None
    strip_prefix: Annotated[
        Annotated[str, Meta(max_length=256)] | None,
        Meta(description="Prefix removed from every weight's name, such as 'module.'."),
    ] = None


class Code(Location, frozen=True, kw_only=True):
    """Source code that builds the model, or that its file refers to. Needs trust: Trusted and a digest."""

    factory: Annotated[
        Annotated[str, Meta(pattern=PLACE, max_length=256)] | None,
        Meta(description="Callable that returns the model, as module:name, where weights alone make none."),
    ] = None
    path: Annotated[
        Annotated[str, Meta(max_length=256)] | None,
        Meta(description="Folder inside the code that is put on the import path."),
    ] = None
    arguments: Annotated[
        dict[str, Any],
        Meta(
            description="Keyword arguments of the factory.",
            max_length=64,
            extra_json_schema={"x-kubernetes-preserve-unknown-fields": True},
        ),
    ] = {}
    objects: Annotated[
        list[Annotated[str, Meta(pattern=PLACE, max_length=256)]],
        Meta(description="Classes and functions that the file refers to by name, as module:name.", max_length=64),
    ] = []
    modules: Annotated[
        list[Annotated[str, Meta(max_length=256)]],
        Meta(description="Modules that stand in for the script that saved the model, __main__.", max_length=16),
    ] = []
    requirements: Annotated[
        Location | None,
        Meta(description="What the code needs beside the image: a wheel, an archive or a prefix of wheels."),
    ] = None


class Numbers(Object, frozen=True, kw_only=True):
    """Which numbers the generated samples have."""

    range: Annotated[
        Annotated[list[float], Meta(min_length=2, max_length=2)] | None,
        Meta(description="Lowest and highest value, both included."),
    ] = None
    categories: Annotated[
        list[float], Meta(description="The only values, such as codes of categories.", min_length=1, max_length=64)
    ] = []


class Column(Numbers, frozen=True, kw_only=True):
    """Which numbers one column has; without any, those of the input, or what is taken where nothing is said."""

    count: Annotated[int, Meta(description="For how many columns in a row this holds.", ge=1, le=65536)] = 1


class Values(Numbers, frozen=True, kw_only=True):
    """Which values an input takes in the generated samples."""

    columns: Annotated[
        list[Column],
        Meta(description="By index of the last axis, such as a table's columns; all in order.", max_length=256),
    ] = []


class Input(Object, frozen=True, kw_only=True):
    """One input of the model."""

    name: Annotated[TensorName, Meta(description="Name of the input in the converted model.")]
    dtype: Annotated[Dtype, Meta(description="Element type.")] = "float32"
    shape: Annotated[
        list[InputDimension],
        Meta(description="Lengths of the axes; a name stands for a free dimension, such as batch.", max_length=16),
    ]
    values: Annotated[
        Values | None,
        Meta(
            description="Values of the generated samples. Not said: as in verification.data, else standard normal, or integers that the model accepts."
        ),
    ] = None


class State(Object, frozen=True, kw_only=True):
    """A recurrent state: an output that the caller feeds back as an input of the next call; zeros in the first."""

    input: Annotated[TensorName, Meta(description="Input that takes the state.")]
    output: Annotated[TensorName, Meta(description="Output that gives the next state.")]


class DimensionRange(Object, frozen=True, kw_only=True):
    """Lengths that a free dimension may take."""

    min: Annotated[int, Meta(description="Smallest length.", ge=1, le=1 << 31)] = 1
    max: Annotated[Annotated[int, Meta(ge=1, le=1 << 31)] | None, Meta(description="Largest length.")] = None
    multiple_of: Annotated[int, Meta(description="Lengths are multiples of this.", ge=1, le=1 << 31)] = 1


class Source(Location, frozen=True, kw_only=True):
    """The model as given: files, digest, format."""

    format: Annotated[
        FormatName | None, Meta(description="How the model is stored; detected from the files if not said.")
    ] = None
    checkpoint: Annotated[Checkpoint | None, Meta(description="Which weights inside a checkpoint.")] = None
    code: Annotated[Code | None, Meta(description="Source code that builds the model.")] = None
    inputs: Annotated[
        list[Input], Meta(description="Inputs of the model, in order, where the format does not tell.", max_length=64)
    ] = []
    dimensions: Annotated[
        dict[str, DimensionRange], Meta(description="Limits of the free dimensions, by name.", max_length=64)
    ] = {}
    states: Annotated[
        list[State], Meta(description="Outputs that the caller feeds back as inputs of the next call.", max_length=16)
    ] = []
    trust: Annotated[
        Literal["Untrusted", "Trusted"],
        Meta(
            description="Trusted lets code that comes with the model run, in a container without network, credentials or token."
        ),
    ] = "Untrusted"


class Target(Object, frozen=True, kw_only=True):
    """What the model becomes."""

    format: Annotated[FormatName, Meta(description="Format of the converted model; its runtime serves it.")] = "onnx"
    options: Annotated[
        dict[str, Any],
        Meta(
            description="Options of the converter; `modelport formats` lists them.",
            max_length=32,
            extra_json_schema={"x-kubernetes-preserve-unknown-fields": True},
        ),
    ] = {}
    shapes: Annotated[
        dict[str, Annotated[list[Annotated[int, Meta(ge=0, le=1 << 31)]], Meta(max_length=16)]],
        Meta(description="Fixed shapes of inputs, by name, for targets without free dimensions.", max_length=64),
    ] = {}
    calibration: Annotated[
        Location | None,
        Meta(description="Samples that a converter to int8 measures ranges by, in the forms of verification.data."),
    ] = None


Share = Annotated[float, Meta(ge=0, le=1)]


class Tolerance(Object, frozen=True, kw_only=True):
    """What passes, instead of the limit that is derived from the source model's own noise."""

    relative: Annotated[
        Share | None,
        Meta(description="Largest relative RMS error of the output and of each of its slices. Not for labels."),
    ] = None
    absolute: Annotated[
        Annotated[float, Meta(ge=0)] | None, Meta(description="Largest absolute difference of any element.")
    ] = None
    agreement: Annotated[Share | None, Meta(description="Smallest share of equal elements.")] = None
    top1: Annotated[
        Share | None, Meta(description="Smallest share of rows whose largest element along the last axis is the same.")
    ] = None
    iou: Annotated[
        Share | None, Meta(description="Smallest intersection over union of boxes (x1, y1, x2, y2), matched by class.")
    ] = None
    cosine: Annotated[
        Annotated[float, Meta(ge=-1, le=1)] | None,
        Meta(description="Smallest cosine similarity of rows along the last axis."),
    ] = None


class Verification(Object, frozen=True, kw_only=True):
    """How the converted model is compared with the source model."""

    policy: Annotated[
        Literal["Enforce", "Report"],
        Meta(
            description="Enforce fails where outputs differ or doubts remain; Report only records them, and cannot be served."
        ),
    ] = "Enforce"
    samples: Annotated[int, Meta(description="Number of generated samples.", ge=8, le=256)] = 8
    data: Annotated[
        Location | None,
        Meta(
            description="Samples of your own: npz, an archive or prefix of npy files named after the inputs, or parquet for tables; the first axis counts rows."
        ),
    ] = None
    edges: Annotated[
        Literal["Report", "Enforce"],
        Meta(description="Whether a difference on ties, zeros, NaN and ends of the range alone is reported, or fails."),
    ] = "Report"
    tolerance: Annotated[Tolerance | None, Meta(description="Tolerance of all outputs.")] = None
    outputs: Annotated[
        dict[str, Tolerance], Meta(description="Tolerance of single outputs, by name.", max_length=64)
    ] = {}


class Resources(Object, frozen=True, kw_only=True):
    """Compute resources of a container, as in a pod."""

    requests: Annotated[dict[str, Quantity], Meta(description="What is reserved.", max_length=8)] = {}
    limits: Annotated[dict[str, Quantity], Meta(description="What may not be exceeded.", max_length=8)] = {}


class Storage(Object, frozen=True, kw_only=True):
    """Scratch space of a conversion."""

    size: Annotated[Quantity, Meta(description="Largest size of each step's files.")] = "10Gi"


QUEUE_NAME = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
"""What a label can hold of the name of a LocalQueue."""


class Conversion(Object, frozen=True, kw_only=True):
    """How the conversion's Jobs run."""

    resources: Annotated[Resources | None, Meta(description="Resources of the steps that open the model.")] = None
    storage: Annotated[Storage | None, Meta(description="Scratch space.")] = None
    timeout_seconds: Annotated[int, Meta(description="Longest run time of one Job's pod.", ge=1, le=604800)] = 3600
    retries: Annotated[
        int, Meta(description="How often a Job is tried again before it counts as failed.", ge=0, le=10)
    ] = 2
    queue_name: Annotated[
        Annotated[str, Meta(pattern=QUEUE_NAME, max_length=63)] | None,
        Meta(description="LocalQueue of Kueue that the Jobs wait in."),
    ] = None
    options: Annotated[
        dict[str, dict[str, Any]],
        Meta(
            description="Options of the converters to formats on the way, by format.",
            max_length=8,
            extra_json_schema={"x-kubernetes-preserve-unknown-fields": True},
        ),
    ] = {}


class Batching(Object, frozen=True, kw_only=True):
    """How a server runs requests that come at the same time together."""

    max_size: Annotated[
        int, Meta(description="Largest number of rows (length of the first axis) in one run; 1: none.", ge=1, le=1024)
    ]
    max_delay_milliseconds: Annotated[
        int, Meta(description="Longest time that a request waits for others; 2 if not said.", ge=0, le=1000)
    ] = 2


class AuthenticationReference(Object, frozen=True, kw_only=True):
    """What a trigger's credentials are in: an object of KEDA's."""

    name: Annotated[str, Meta(description="Name of the object.", min_length=1, max_length=253)]
    kind: Annotated[
        Literal["TriggerAuthentication", "ClusterTriggerAuthentication"], Meta(description="Kind of the object.")
    ] = "TriggerAuthentication"


class Trigger(Object, frozen=True, kw_only=True):
    """A trigger of KEDA's: what outside of the pods tells how many there are to be."""

    type: Annotated[str, Meta(description="Name of KEDA's scaler.", min_length=1, max_length=64)]
    metadata: Annotated[
        dict[str, Annotated[str, Meta(max_length=2048)]],
        Meta(description="Options of the scaler, as text.", max_length=32),
    ] = {}
    authentication_ref: Annotated[
        AuthenticationReference | None, Meta(description="What the scaler's credentials are in.")
    ] = None


class Autoscaling(Object, frozen=True, kw_only=True):
    """How many pods there are follows from load; what asks for the most pods counts."""

    min_replicas: Annotated[int, Meta(description="Fewest pods; 1 if not said. 0 needs triggers.", ge=0, le=1000)] = 1
    max_replicas: Annotated[int, Meta(description="Most pods.", ge=1, le=1000)]
    cpu_utilization: Annotated[
        Annotated[int, Meta(ge=1, le=1000)] | None,
        Meta(description="Wanted use of CPU, in percent of resources.requests.cpu."),
    ] = None
    memory_utilization: Annotated[
        Annotated[int, Meta(ge=1, le=1000)] | None,
        Meta(description="Wanted use of memory, in percent of resources.requests.memory."),
    ] = None
    requests_in_flight: Annotated[
        Annotated[int, Meta(ge=1, le=100000)] | None,
        Meta(description="Wanted requests that each pod has, waiting or run. Needs KEDA and Prometheus."),
    ] = None
    queue_size: Annotated[
        Annotated[int, Meta(ge=1, le=100000)] | None,
        Meta(description="Wanted requests that wait in each pod. Needs KEDA and Prometheus."),
    ] = None
    triggers: Annotated[list[Trigger], Meta(description="Triggers of KEDA's beside these.", max_length=8)] = []
    stabilization_seconds: Annotated[
        int, Meta(description="How long load must be lower before pods go; 300 if not said.", ge=0, le=3600)
    ] = 300
    cooldown_seconds: Annotated[
        int, Meta(description="How long triggers must be quiet before the last pod goes; 300.", ge=0, le=86400)
    ] = 300
    polling_seconds: Annotated[int, Meta(description="How often KEDA asks triggers; 30.", ge=1, le=3600)] = 30


class Toleration(Object, frozen=True, kw_only=True):
    """A taint that pods tolerate, as in a pod."""

    key: Annotated[Annotated[str, Meta(max_length=317)] | None, Meta(description="Key of the taint; all.")] = None
    operator: Annotated[Literal["Exists", "Equal"] | None, Meta(description="How the value is compared; Equal.")] = None
    value: Annotated[Annotated[str, Meta(max_length=63)] | None, Meta(description="Value of the taint.")] = None
    effect: Annotated[
        Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None, Meta(description="Effect of the taint; all.")
    ] = None
    toleration_seconds: Annotated[
        int | None, Meta(description="For how long a taint of NoExecute is tolerated; for ever.")
    ] = None


class Placement(Object, frozen=True, kw_only=True):
    """Where the pods run."""

    node_selector: Annotated[
        dict[str, Annotated[str, Meta(max_length=63)]],
        Meta(description="Labels of the nodes, beside their architecture.", max_length=16),
    ] = {}
    tolerations: Annotated[list[Toleration], Meta(description="Tolerated taints, as in a pod.", max_length=16)] = []
    priority_class_name: Annotated[
        Annotated[str, Meta(max_length=253)] | None, Meta(description="Name of the PriorityClass.")
    ] = None
    runtime_class_name: Annotated[
        Annotated[str, Meta(max_length=253)] | None, Meta(description="Name of the RuntimeClass.")
    ] = None


class Serving(Object, frozen=True, kw_only=True):
    """How the converted model is served. Left out: convert only."""

    replicas: Annotated[
        Annotated[int, Meta(ge=0, le=1000)] | None,
        Meta(description="Number of pods; 1 if neither this nor autoscaling is said."),
    ] = None
    autoscaling: Annotated[
        Autoscaling | None, Meta(description="Lets load say how many pods there are, in place of replicas.")
    ] = None
    resources: Annotated[Resources | None, Meta(description="Resources of the server container.")] = None
    batching: Annotated[
        Batching | None, Meta(description="Runs requests that come at the same time together. Left out: one by one.")
    ] = None
    strategy: Annotated[
        Literal["RollingUpdate", "Recreate"],
        Meta(description="Recreate ends old pods before new ones begin."),
    ] = "RollingUpdate"
    placement: Annotated[Placement | None, Meta(description="Where the pods run.")] = None

    @property
    def least_replicas(self) -> int:
        """How many pods there are to be at least, and to begin with."""
        if self.autoscaling:
            return self.autoscaling.min_replicas
        return 1 if self.replicas is None else self.replicas

    @property
    def most_replicas(self) -> int:
        """How many pods there may be."""
        return self.autoscaling.max_replicas if self.autoscaling else self.least_replicas


class Spec(Object, frozen=True, kw_only=True):
    """What is wanted."""

    source: Annotated[Source, Meta(description="The model as given.")]
    target: Annotated[Target, Meta(description="What the model becomes.")] = Target()
    verification: Annotated[Verification, Meta(description="How the result is compared with the source.")] = (
        Verification()
    )
    conversion: Annotated[Conversion, Meta(description="How the conversion's Jobs run.")] = Conversion()
    serving: Annotated[Serving | None, Meta(description="How the model is served. Left out: convert only.")] = None
    suspend: Annotated[bool, Meta(description="Start nothing new; what serves goes on.")] = False
