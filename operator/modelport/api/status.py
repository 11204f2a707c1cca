"""What is: `status` of a ModelConversion, written by the operator only."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from modelport.api.base import Dimension, StatusPart
from modelport.api.spec import Role


class Condition(StatusPart, frozen=True, kw_only=True):
    """One aspect of the state, as in metav1.Condition."""

    type: Annotated[str, Meta(description="Aspect.", max_length=64)]
    status: Annotated[Literal["True", "False", "Unknown"], Meta(description="Whether it holds.")]
    reason: Annotated[str, Meta(description="Machine-readable cause, one of a closed set.", max_length=64)]
    message: Annotated[str, Meta(description="Cause for people.", max_length=4096)]
    observed_generation: Annotated[int, Meta(description="Generation of the spec that was judged.")]
    last_transition_time: Annotated[
        str, Meta(description="When the status last changed.", max_length=32, extra_json_schema={"format": "date-time"})
    ]


class Tensor(StatusPart, frozen=True, kw_only=True):
    """Name, element type and shape of one input or output."""

    name: Annotated[str, Meta(description="Name.", max_length=128)]
    dtype: Annotated[str, Meta(description="Element type.", max_length=16)]
    shape: Annotated[
        list[Dimension], Meta(description="Lengths of the axes; names are free dimensions.", max_length=16)
    ]


class Signature(StatusPart, frozen=True, kw_only=True):
    """Inputs and outputs of a model, in order."""

    inputs: Annotated[list[Tensor], Meta(description="Inputs.", max_length=64)] = []
    outputs: Annotated[list[Tensor], Meta(description="Outputs.", max_length=64)] = []


class SourceStatus(StatusPart, frozen=True, kw_only=True):
    """The source that the URI was resolved to."""

    key: Annotated[str, Meta(description="Hash of what the spec says about the source's bytes.", max_length=64)]
    uri: Annotated[str, Meta(description="URI that was resolved.", max_length=1024)]
    digests: Annotated[
        dict[Role, Annotated[str, Meta(max_length=71)]],
        Meta(description="Digests of what was imported: source, code, and data (verification.data).", max_length=8),
    ]
    format: Annotated[str, Meta(description="Format, given or detected.", max_length=64)]
    size_bytes: Annotated[int, Meta(description="Size of the source in bytes.")]
    signature: Annotated[
        Signature | None, Meta(description="Inputs and outputs, where the format tells: name, dtype and shape of each.")
    ] = None


class ArtifactStatus(StatusPart, frozen=True, kw_only=True):
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


class OutputStatus(StatusPart, frozen=True, kw_only=True):
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


class Latency(StatusPart, frozen=True, kw_only=True):
    """How long one question takes, in milliseconds, by the converted model and by the source in its own framework."""

    rows: Annotated[int, Meta(description="Length of the batch, or of the first axis.")]
    p50: Annotated[str, Meta(description="Median of the converted model.", max_length=24)]
    p99: Annotated[str, Meta(description="99th percentile.", max_length=24)]
    source_p50: Annotated[str, Meta(description="Median of the source model.", max_length=24)]
    source_p99: Annotated[str, Meta(description="99th percentile.", max_length=24)]


class Performance(StatusPart, frozen=True, kw_only=True):
    """What it cost to answer, where the artifact was verified: a first impression, beside other work on the same node."""

    latencies: Annotated[list[Latency], Meta(description="The shortest and the longest batch.", max_length=2)] = []
    load_milliseconds: Annotated[str, Meta(description="Time to load the model.", max_length=24)] = ""
    memory_bytes: Annotated[int, Meta(description="The most that the process with the model had.")] = 0


class VerificationStatus(StatusPart, frozen=True, kw_only=True):
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
    performance: Annotated[
        Performance | None, Meta(description="Latencies beside the source model's, load time, memory.")
    ] = None
    truncated: Annotated[bool, Meta(description="Whether something was left out for want of room.")] = False
    image: Annotated[
        str, Meta(description="Server image that gave the answers; the same image serves.", max_length=512)
    ] = ""


class ServingStatus(StatusPart, frozen=True, kw_only=True):
    """What answers requests."""

    artifact_digest: Annotated[str, Meta(description="Artifact that answers.", max_length=71)]
    image: Annotated[str, Meta(description="Server image.", max_length=512)]
    url: Annotated[str, Meta(description="URL inside the cluster.", max_length=512)]
    replicas: Annotated[int, Meta(description="Number of pods.")] = 0
    ready_replicas: Annotated[int, Meta(description="Number of pods that answer.")] = 0
    selector: Annotated[str, Meta(description="Label selector of the pods, for autoscalers.", max_length=512)] = ""
    has_answered: Annotated[
        bool,
        Meta(description="Whether a pod of this artifact has ever been ready; not where it came while scaled to zero."),
    ] = False


class RefusedPath(StatusPart, frozen=True, kw_only=True):
    """A path that failed, so that the next one was taken; or a newer server image, so that the one before it serves on."""

    key: Annotated[str, Meta(description="Hash of what failed.", max_length=64)]
    inputs_key: Annotated[
        str, Meta(description="Hash of what the spec asked for, as in status.artifact.", max_length=64)
    ] = ""
    path: Annotated[str, Meta(description="Formats on the way, or the server image.", max_length=256)]
    reason: Annotated[str, Meta(description="Cause.", max_length=64)]
    message: Annotated[str, Meta(description="Cause for people.", max_length=512)]


class Failure(StatusPart, frozen=True, kw_only=True):
    """What went wrong, and what to do about it."""

    key: Annotated[
        str, Meta(description="Hash of what failed; the same work is not tried again until it changes.", max_length=64)
    ]
    stage: Annotated[str, Meta(description="Import, Convert, Verify or Serve.", max_length=32)]
    step: Annotated[str, Meta(description="Step that failed.", max_length=32)] = ""
    reason: Annotated[str, Meta(description="Cause, one of a closed set.", max_length=64)]
    message: Annotated[str, Meta(description="What was expected and what was found.", max_length=1024)]
    hint: Annotated[str, Meta(description="What to do.", max_length=512)] = ""
    retryable: Annotated[bool, Meta(description="Whether the operator tries again by itself.")] = False
    attempts: Annotated[int, Meta(description="How many Jobs failed this way.")] = 1
    log_tail: Annotated[str, Meta(description="Last lines of the failed container's log.", max_length=2048)] = ""


class Status(StatusPart, frozen=True, kw_only=True):
    """What is. Written by the operator only."""

    observed_generation: Annotated[int, Meta(description="Generation of the spec that this status is about.")] = -1
    conditions: Annotated[
        list[Condition],
        Meta(
            description="Ready, Reconciling or Stalled (kstatus), Imported, Converted, Verified, Available, Autoscaled.",
            max_length=16,
            extra_json_schema={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        ),
    ] = []
    source: Annotated[SourceStatus | None, Meta(description="The source that the URI was resolved to.")] = None
    path: Annotated[
        list[Annotated[str, Meta(max_length=64)]], Meta(description="Formats on the way, in order.", max_length=16)
    ] = []
    refused: Annotated[
        list[RefusedPath],
        Meta(description="Better paths and newer server images, and why they were not taken.", max_length=8),
    ] = []
    artifact: Annotated[ArtifactStatus | None, Meta(description="The converted model.")] = None
    verification: Annotated[VerificationStatus | None, Meta(description="Evidence that it is right.")] = None
    serving: Annotated[ServingStatus | None, Meta(description="What answers requests.")] = None
    failure: Annotated[Failure | None, Meta(description="What went wrong.")] = None
    failures: Annotated[
        list[Failure],
        Meta(
            description="How Jobs failed that are still wanted: whatever else goes wrong, attempts count on.",
            max_length=4,
        ),
    ] = []


def read_status(body: object) -> Status:
    """Return a status without the parts that cannot be read: another version wrote them, and they are made again."""
    read = {}
    for field in msgspec.structs.fields(Status):
        try:
            read[field.name] = msgspec.convert(body[field.encode_name], field.type, strict=False)  # type: ignore[index]
        except (KeyError, TypeError, msgspec.ValidationError):
            continue
    return Status(**read)
