"""The ModelConversion resource as types: the CRD is generated from them (`modelport.crd`), the operator reads them.

Names are camelCase on the wire and snake_case here. Every string, list and map has a maximum: the cost budget of the
spec's CEL rules is computed from them, and a status stays small. Docstrings and descriptions are what `kubectl explain` prints.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

GROUP = "modelport.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "ModelConversion"
PLURAL = "modelconversions"

REFRESH_ANNOTATION = f"{GROUP}/refresh"
"""Annotation of the user's: a new value resolves a mutable source URI once more."""

DIGEST_PATTERN = "^sha256:[0-9a-f]{64}$"
NAME_PATTERN = "^[a-z]([-a-z0-9]{0,50}[a-z0-9])?$"


class Object(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    """Base of all types of the resource: immutable, and strict about unknown fields."""


class Observed(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Base of the types of the status: unknown fields, written by another version, are passed over."""


Digest = Annotated[str, Meta(pattern=DIGEST_PATTERN, max_length=71)]
Uri = Annotated[str, Meta(min_length=1, max_length=1024)]
TensorName = Annotated[str, Meta(min_length=1, max_length=128)]
Quantity = Annotated[str | int, Meta(extra_json_schema={"x-kubernetes-int-or-string": True})]
Dtype = Literal[
    "bool",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "int8",
    "int16",
    "int32",
    "int64",
    "bfloat16",
    "float16",
    "float32",
    "float64",
    "string",
]
"""Element types of inputs and outputs; complex numbers have no place in the serving protocol."""
Dimension = Annotated[str | int, Meta(extra_json_schema={"x-kubernetes-int-or-string": True})]
"""A fixed length, or the name of a free dimension; the same name stands for the same length everywhere."""
InputDimension = Annotated[str, Meta(pattern="^[A-Za-z_][A-Za-z0-9_]*$", max_length=64)] | Annotated[int, Meta(ge=1)]
"""A dimension as a user writes it; models themselves have stranger names."""

FormatName = Literal["pytorch-state-dict", "onnx"]
TargetFormatName = Literal["onnx"]


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
            description="Credentials for the URI: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL, AWS_REGION, or username and password for https."
        ),
    ] = None


class Checkpoint(Object, frozen=True, kw_only=True):
    """Which weights inside a checkpoint."""

    key: Annotated[
        Annotated[str, Meta(max_length=256)] | None,
        Meta(description="Dotted path to the state dict inside the checkpoint, such as model_state_dict."),
    ] = None
    strip_prefix: Annotated[
        Annotated[str, Meta(max_length=256)] | None,
        Meta(description="Prefix removed from every weight's name, such as 'module.'."),
    ] = None


class Code(Location, frozen=True, kw_only=True):
    """Source code that builds the model, where weights alone make no model. Needs trust: Trusted and a digest."""

    factory: Annotated[
        str,
        Meta(
            description="Callable that returns the model, as module:name; called with the arguments.",
            pattern=r"^[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_.]*$",
            max_length=256,
        ),
    ]
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
            description="Values of the generated samples. Not said: as in verification.data, else standard normal; integers as far as the model accepts them."
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
            description="Trusted lets the conversion run code that comes with the model, in a container without network, credentials or token."
        ),
    ] = "Untrusted"


class Target(Object, frozen=True, kw_only=True):
    """What the model becomes."""

    format: Annotated[TargetFormatName, Meta(description="Format of the converted model; its runtime serves it.")] = (
        "onnx"
    )
    options: Annotated[
        dict[str, Any],
        Meta(
            description="Options of the converter: for onnx, opset (9 to 23), simplify (true or false) and precision (float32).",
            max_length=32,
            extra_json_schema={"x-kubernetes-preserve-unknown-fields": True},
        ),
    ] = {}


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
            description="Enforce fails the conversion when outputs differ or doubts remain; Report only records them, and cannot be served."
        ),
    ] = "Enforce"
    samples: Annotated[int, Meta(description="Number of generated samples.", ge=8, le=256)] = 8
    data: Annotated[
        Location | None,
        Meta(
            description="Samples of your own, asked beside the generated ones: npz, an archive or prefix of npy files named after the inputs, or parquet for tables; the first axis counts the rows."
        ),
    ] = None
    edges: Annotated[
        Literal["Report", "Enforce"],
        Meta(
            description="Whether a difference on ties, zeros, NaN and the ends of the range alone is reported as a measured limit, or fails."
        ),
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


class Conversion(Object, frozen=True, kw_only=True):
    """How the conversion's Jobs run."""

    resources: Annotated[Resources | None, Meta(description="Resources of the steps that open the model.")] = None
    storage: Annotated[Storage | None, Meta(description="Scratch space.")] = None
    timeout_seconds: Annotated[int, Meta(description="Longest run time of one Job's pod.", ge=1, le=604800)] = 3600
    retries: Annotated[
        int, Meta(description="How often a Job is tried again before it counts as failed.", ge=0, le=10)
    ] = 2


class Batching(Object, frozen=True, kw_only=True):
    """How a server runs requests that come at the same time together."""

    max_size: Annotated[
        int, Meta(description="Largest number of rows (length of the first axis) in one run; 1: none.", ge=1, le=1024)
    ]
    max_delay_milliseconds: Annotated[
        int, Meta(description="Longest time that a request waits for others; 2 if not said.", ge=0, le=1000)
    ] = 2


class Serving(Object, frozen=True, kw_only=True):
    """How the converted model is served. Left out: convert only."""

    replicas: Annotated[int, Meta(description="Number of pods.", ge=0, le=1000)] = 1
    resources: Annotated[Resources | None, Meta(description="Resources of the server container.")] = None
    batching: Annotated[
        Batching | None, Meta(description="Runs requests that come at the same time together. Left out: one by one.")
    ] = None


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


class Condition(Observed, frozen=True, kw_only=True):
    """One aspect of the state, as in metav1.Condition."""

    type: Annotated[str, Meta(description="Aspect.", max_length=64)]
    status: Annotated[Literal["True", "False", "Unknown"], Meta(description="Whether it holds.")]
    reason: Annotated[str, Meta(description="Machine-readable cause, one of a closed set.", max_length=64)]
    message: Annotated[str, Meta(description="Cause for people.", max_length=4096)]
    observed_generation: Annotated[int, Meta(description="Generation of the spec that was judged.")]
    last_transition_time: Annotated[
        str, Meta(description="When the status last changed.", max_length=32, extra_json_schema={"format": "date-time"})
    ]


class Tensor(Observed, frozen=True, kw_only=True):
    """Name, element type and shape of one input or output."""

    name: Annotated[str, Meta(description="Name.", max_length=128)]
    dtype: Annotated[str, Meta(description="Element type.", max_length=16)]
    shape: Annotated[
        list[Dimension], Meta(description="Lengths of the axes; names are free dimensions.", max_length=16)
    ]


class Signature(Observed, frozen=True, kw_only=True):
    """Inputs and outputs of a model, in order."""

    inputs: Annotated[list[Tensor], Meta(description="Inputs.", max_length=64)] = []
    outputs: Annotated[list[Tensor], Meta(description="Outputs.", max_length=64)] = []


class SourceStatus(Observed, frozen=True, kw_only=True):
    """The source that the URI was resolved to."""

    key: Annotated[str, Meta(description="Hash of what the spec says about the source's bytes.", max_length=64)]
    uri: Annotated[str, Meta(description="URI that was resolved.", max_length=1024)]
    digest: Annotated[str, Meta(description="Digest of its bytes.", max_length=71)]
    format: Annotated[str, Meta(description="Format, given or detected.", max_length=64)]
    size_bytes: Annotated[int, Meta(description="Size in bytes.")]
    code_digest: Annotated[
        Annotated[str, Meta(max_length=71)] | None, Meta(description="Digest of the code's bytes.")
    ] = None
    data_digest: Annotated[
        Annotated[str, Meta(max_length=71)] | None, Meta(description="Digest of the bytes of verification.data.")
    ] = None
    signature: Annotated[
        Signature | None, Meta(description="Inputs and outputs, where the format tells: name, dtype and shape of each.")
    ] = None


class ArtifactStatus(Observed, frozen=True, kw_only=True):
    """The converted model."""

    key: Annotated[
        str,
        Meta(description="Hash of source, code, options, path, converter images and CPU architecture.", max_length=64),
    ]
    inputs_key: Annotated[
        str, Meta(description="The same hash without the images: what the spec asks for.", max_length=64)
    ]
    digest: Annotated[str, Meta(description="Digest of the artifact's manifest.", max_length=71)]
    format: Annotated[str, Meta(description="Format.", max_length=64)]
    size_bytes: Annotated[int, Meta(description="Size of the model's files in bytes.")]
    uri: Annotated[str, Meta(description="Where it is stored.", max_length=1024)]
    reused: Annotated[bool, Meta(description="Whether the conversion of another resource was reused.")] = False


class OutputStatus(Observed, frozen=True, kw_only=True):
    """Measured error of one output, over all samples. Numbers are decimal strings: JSON has no NaN and no Infinity."""

    # a number that came later than some statuses is empty there: what needs it is measured again

    name: Annotated[str, Meta(description="Output.", max_length=128)]
    comparison: Annotated[
        Literal["Numbers", "Softmax", "Sigmoid", "Labels", "Constant", "Detections"],
        Meta(description="How it was compared: as numbers, as probabilities in log space too, as labels, …"),
    ] = "Numbers"
    relative_rms: Annotated[
        str, Meta(description="Largest relative RMS error of the output and of its slices.", max_length=24)
    ]
    max_absolute_error: Annotated[str, Meta(description="Largest absolute difference.", max_length=24)]
    excess: Annotated[
        str,
        Meta(
            description="Largest error in units of its limit, over the output, its slices and log space; 1 and less passes.",
            max_length=24,
        ),
    ] = ""
    worst: Annotated[
        str,
        Meta(description="Where that is: axis and index of a slice, or log space; empty: all of it.", max_length=64),
    ] = ""
    limit: Annotated[str, Meta(description="Limit of the relative RMS error of the whole output.", max_length=24)] = ""
    noise_floor: Annotated[str, Meta(description="Relative RMS of the source model against itself.", max_length=24)]
    spread: Annotated[
        str,
        Meta(
            description="Relative RMS of the differences between samples: how much the output depends on the input.",
            max_length=24,
        ),
    ]
    non_finite: Annotated[int, Meta(description="Number of elements that are finite in one alone.")] = 0
    finite: Annotated[
        str, Meta(description="Share of the reference's elements that are finite; left out: all.", max_length=24)
    ] = "1"
    agreement: Annotated[
        Annotated[str, Meta(max_length=24)] | None,
        Meta(description="Share of equal labels; those within the source's own noise count as equal."),
    ] = None
    metrics: Annotated[
        dict[str, Annotated[str, Meta(max_length=24)]],
        Meta(description="Metrics that the tolerance asks for.", max_length=4),
    ] = {}


class VerificationStatus(Observed, frozen=True, kw_only=True):
    """Evidence that the artifact gives the source model's answers."""

    key: Annotated[
        str, Meta(description="Hash of artifact, server image, samples and CPU feature level.", max_length=64)
    ]
    samples: Annotated[int, Meta(description="Number of samples compared, edges not counted.")]
    samples_version: Annotated[int, Meta(description="Version of the samples.")] = 0
    judged: Annotated[
        str, Meta(description="Hash of the tolerances that the errors satisfy; empty: only reported.", max_length=64)
    ] = ""
    reference: Annotated[str, Meta(description="Digest of the source model's answers.", max_length=71)] = ""
    max_absolute_error: Annotated[str, Meta(description="Largest absolute difference of any output.", max_length=24)]
    outputs: Annotated[list[OutputStatus], Meta(description="Errors by output, the worst first.", max_length=64)] = []
    edges: Annotated[
        str,
        Meta(
            description="What differs on ties, zeros, NaN and the ends of the range alone; empty: nothing.",
            max_length=256,
        ),
    ] = ""
    caveats: Annotated[
        list[Annotated[str, Meta(max_length=256)]],
        Meta(
            description="What else a user must know: what was baked in, what the runtime was told to leave.",
            max_length=8,
        ),
    ] = []
    truncated: Annotated[bool, Meta(description="Whether something was left out for want of room.")] = False
    image: Annotated[
        str, Meta(description="Server image that gave the answers; the same image serves.", max_length=512)
    ] = ""


class ServingStatus(Observed, frozen=True, kw_only=True):
    """What answers requests."""

    artifact_digest: Annotated[str, Meta(description="Artifact that answers.", max_length=71)]
    image: Annotated[str, Meta(description="Server image.", max_length=512)]
    url: Annotated[str, Meta(description="URL inside the cluster.", max_length=512)]
    replicas: Annotated[int, Meta(description="Number of pods.")] = 0
    ready_replicas: Annotated[int, Meta(description="Number of pods that answer.")] = 0
    selector: Annotated[str, Meta(description="Label selector of the pods, for autoscalers.", max_length=512)] = ""


class Failure(Observed, frozen=True, kw_only=True):
    """What went wrong, and what to do about it."""

    key: Annotated[
        str, Meta(description="Hash of what failed; the same work is not tried again until it changes.", max_length=64)
    ]
    stage: Annotated[str, Meta(description="Import, Convert, Verify or Serve.", max_length=32)]
    reason: Annotated[str, Meta(description="Cause, one of a closed set.", max_length=64)]
    message: Annotated[str, Meta(description="What was expected and what was found.", max_length=1024)]
    hint: Annotated[str, Meta(description="What to do.", max_length=512)] = ""
    retryable: Annotated[bool, Meta(description="Whether the operator tries again by itself.")] = False
    attempts: Annotated[int, Meta(description="How many Jobs failed this way.")] = 1
    log_tail: Annotated[str, Meta(description="Last lines of the failed container's log.", max_length=2048)] = ""


class Status(Observed, frozen=True, kw_only=True):
    """What is. Written by the operator only."""

    observed_generation: Annotated[int, Meta(description="Generation of the spec that this status is about.")] = -1
    conditions: Annotated[
        list[Condition],
        Meta(
            description="Ready, Reconciling or Stalled (kstatus), Imported, Converted, Verified, Available.",
            max_length=16,
            extra_json_schema={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        ),
    ] = []
    source: Annotated[SourceStatus | None, Meta(description="The source that the URI was resolved to.")] = None
    path: Annotated[
        list[Annotated[str, Meta(max_length=64)]], Meta(description="Formats on the way, in order.", max_length=16)
    ] = []
    artifact: Annotated[ArtifactStatus | None, Meta(description="The converted model.")] = None
    verification: Annotated[VerificationStatus | None, Meta(description="Evidence that it is right.")] = None
    serving: Annotated[ServingStatus | None, Meta(description="What answers requests.")] = None
    failure: Annotated[Failure | None, Meta(description="What went wrong.")] = None


class Metadata(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The part of ObjectMeta that Modelport reads."""

    name: str
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    annotations: dict[str, str] = {}
    deletion_timestamp: str | None = None


class ModelConversion(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Converts a machine-learning model to another format, proves that the result gives the same answers, and serves it."""

    api_version: str = API_VERSION
    kind: str = KIND
    metadata: Metadata
    spec: Spec
    status: Status = Status()


def parse(body: dict[str, Any]) -> ModelConversion:
    """Return the resource in `body`, a decoded manifest; numbers written as text are accepted.

    Raises msgspec.ValidationError with the path of the wrong field.
    """
    resource = msgspec.convert({**body, "status": {}}, ModelConversion, strict=False)
    return msgspec.structs.replace(resource, status=read_status(body.get("status")))


def read_status(body: object) -> Status:
    """Return a status without the parts that cannot be read: another version wrote them, and they are made again."""
    read = {}
    for field in msgspec.structs.fields(Status):
        try:
            read[field.name] = msgspec.convert(body[field.encode_name], field.type, strict=False)  # type: ignore[index]
        except (KeyError, TypeError, msgspec.ValidationError):
            continue
    return Status(**read)
