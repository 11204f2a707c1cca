"""The closed set of failure reasons: whether trying again can help, and what to do.

A reason stands in conditions, Events, `status.failure` and metrics. Steps report one in their result; the operator
derives the others from pods, Jobs and Events.
"""

from enum import StrEnum
from typing import NamedTuple


class Reason(StrEnum):
    """Why a resource is not Ready because something failed."""

    # the specification
    INVALID_SPEC = "InvalidSpec"
    NAME_CONFLICT = "NameConflict"
    OPERATOR_FAILED = "OperatorFailed"
    INPUTS_NEEDED = "InputsNeeded"
    SAMPLES_NEEDED = "SamplesNeeded"
    SHAPES_NEEDED = "ShapesNeeded"
    IMAGE_NOT_CONFIGURED = "ImageNotConfigured"
    # moving bytes
    SOURCE_NOT_FOUND = "SourceNotFound"
    SOURCE_UNREACHABLE = "SourceUnreachable"
    SOURCE_ACCESS_DENIED = "SourceAccessDenied"
    DIGEST_MISMATCH = "DigestMismatch"
    STORE_UNAVAILABLE = "StoreUnavailable"
    STORE_ACCESS_DENIED = "StoreAccessDenied"
    STORE_NOT_CONFIGURED = "StoreNotConfigured"
    # looking at the source
    UNSAFE_SOURCE = "UnsafeSource"
    UNTRUSTED_SOURCE = "UntrustedSource"
    UNKNOWN_FORMAT = "UnknownFormat"
    UNSUPPORTED_FORMAT = "UnsupportedFormat"
    AMBIGUOUS_FORMAT = "AmbiguousFormat"
    SOURCE_CORRUPT = "SourceCorrupt"
    # converting
    WEIGHTS_MISMATCH = "WeightsMismatch"
    FACTORY_FAILED = "FactoryFailed"
    CONVERSION_FAILED = "ConversionFailed"
    NON_DETERMINISTIC = "NonDeterministic"
    NUMERICALLY_UNSTABLE = "NumericallyUnstable"
    RUNTIME_UNSUPPORTED = "RuntimeUnsupported"
    # verifying
    VERIFICATION_FAILED = "VerificationFailed"
    VERIFICATION_INCONCLUSIVE = "VerificationInconclusive"
    # pods
    OUT_OF_MEMORY = "OutOfMemory"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    STORAGE_EXCEEDED = "StorageExceeded"
    EVICTED = "Evicted"
    IMAGE_PULL_FAILED = "ImagePullFailed"
    UNSCHEDULABLE = "Unschedulable"
    QUOTA_EXCEEDED = "QuotaExceeded"
    POD_REFUSED = "PodRefused"
    STEP_CRASHED = "StepCrashed"
    CONVERTER_CRASHED = "ConverterCrashed"
    # serving
    SERVER_CRASHED = "ServerCrashed"
    GOLDEN_MISMATCH = "GoldenMismatch"
    ROLLOUT_OVERDUE = "RolloutOverdue"
    # autoscaling
    KEDA_NOT_INSTALLED = "KedaNotInstalled"
    PROMETHEUS_NOT_CONFIGURED = "PrometheusNotConfigured"
    METRICS_UNAVAILABLE = "MetricsUnavailable"
    AUTOSCALER_FAILED = "AutoscalerFailed"


class Advice(NamedTuple):
    """What follows from a reason."""

    retryable: bool
    hint: str


ADVICE: dict[Reason, Advice] = {
    Reason.INVALID_SPEC: Advice(False, "Correct the field that the message names and apply again."),
    Reason.NAME_CONFLICT: Advice(
        False, "Rename this ModelConversion, or delete the object that has the name; it is looked at each minute."
    ),
    Reason.OPERATOR_FAILED: Advice(
        True, "Report it with the log of the operator, which has the whole error; it is tried again."
    ),
    Reason.INPUTS_NEEDED: Advice(False, "State name, dtype and shape of each input under spec.source.inputs."),
    Reason.SAMPLES_NEEDED: Advice(
        False, "Give samples of your own under spec.verification.data: an npz with one array per input."
    ),
    Reason.SHAPES_NEEDED: Advice(
        False, "State the lengths that the target is to have under spec.target.shapes, by input."
    ),
    Reason.IMAGE_NOT_CONFIGURED: Advice(
        False, "Name the image under images in the values of the chart, or choose another format."
    ),
    Reason.SOURCE_NOT_FOUND: Advice(
        True, "Check the URI; `modelport push` prints the one of what it uploaded. It is looked for again."
    ),
    Reason.SOURCE_UNREACHABLE: Advice(
        True, "Check the host name and that the cluster may reach it; it is tried again."
    ),
    Reason.SOURCE_ACCESS_DENIED: Advice(
        True,
        "Name a Secret with valid credentials under secretRef, or correct the one that is named; it is tried again.",
    ),
    Reason.DIGEST_MISMATCH: Advice(False, "Compare with sha256sum of the file that was meant; correct digest or URI."),
    Reason.STORE_UNAVAILABLE: Advice(
        True, "Check that the store of Secret modelport-store answers; it is tried again."
    ),
    Reason.STORE_ACCESS_DENIED: Advice(True, "Correct the credentials in Secret modelport-store; it is tried again."),
    Reason.STORE_NOT_CONFIGURED: Advice(True, "Create Secret modelport-store in this namespace; see docs/store.md."),
    Reason.UNSAFE_SOURCE: Advice(
        False,
        "Give the source without what the message names: it would lead outside the source, run code, or fill the machine.",
    ),
    Reason.UNTRUSTED_SOURCE: Advice(
        False,
        "Set spec.source.trust: Trusted if you trust the code that the message names, or give a file without it.",
    ),
    Reason.UNKNOWN_FORMAT: Advice(False, "State spec.source.format; `modelport formats` lists the formats."),
    Reason.UNSUPPORTED_FORMAT: Advice(False, "Give the model in another format: the message says which."),
    Reason.AMBIGUOUS_FORMAT: Advice(
        False, "State spec.source.format, or give the files of one model alone; the message names what was found."
    ),
    Reason.SOURCE_CORRUPT: Advice(False, "Upload the file again: it is truncated or not what its format says."),
    Reason.WEIGHTS_MISMATCH: Advice(
        False,
        "Make factory and arguments build the model that the weights were saved from, or set checkpoint.key or checkpoint.stripPrefix.",
    ),
    Reason.FACTORY_FAILED: Advice(
        False,
        "Correct code, factory or arguments, or give what the code lacks as code.requirements; `modelport run` repeats it locally.",
    ),
    Reason.CONVERSION_FAILED: Advice(
        False, "Change what the message names, or read the log tail; `modelport run` repeats it locally."
    ),
    Reason.NON_DETERMINISTIC: Advice(
        False,
        "Switch random operations and training-mode dropout off; have what a call changes taken and given, and name it under source.states.",
    ),
    Reason.NUMERICALLY_UNSTABLE: Advice(
        False,
        "The source model disagrees with itself on tiny changes: narrow inputs[].values to real ranges, or set a tolerance.",
    ),
    Reason.RUNTIME_UNSUPPORTED: Advice(
        False, "The runtime cannot run what the message names: choose other options, or another target.format."
    ),
    Reason.VERIFICATION_FAILED: Advice(
        False,
        "The converted model answers differently: try another opset or exporter option, or set a tolerance if that error is acceptable.",
    ),
    Reason.VERIFICATION_INCONCLUSIVE: Advice(
        False,
        "The samples do not exercise the model: set inputs[].values to real ranges, or give verification.data.",
    ),
    Reason.OUT_OF_MEMORY: Advice(
        False, "Raise conversion.resources.limits.memory (or serving.resources for the server)."
    ),
    Reason.DEADLINE_EXCEEDED: Advice(False, "Raise conversion.timeoutSeconds."),
    Reason.STORAGE_EXCEEDED: Advice(False, "Raise conversion.storage.size."),
    Reason.EVICTED: Advice(True, "The node ran short of resources; it is tried again."),
    Reason.IMAGE_PULL_FAILED: Advice(
        True, "Check the image names in the chart's values and the node's access to the registry."
    ),
    Reason.UNSCHEDULABLE: Advice(True, "Free resources, add a node, or lower the requests."),
    Reason.QUOTA_EXCEEDED: Advice(True, "Raise the namespace's ResourceQuota or delete what is not needed."),
    Reason.POD_REFUSED: Advice(True, "An admission rule of the cluster refuses the pod; the message has its words."),
    Reason.STEP_CRASHED: Advice(True, "Read the log tail; it is tried again."),
    Reason.CONVERTER_CRASHED: Advice(
        False, "Read the log tail; `modelport run` repeats it locally. Raise conversion.retries if chance decides."
    ),
    Reason.SERVER_CRASHED: Advice(True, "Read the log tail; `modelport serve` repeats it locally."),
    Reason.GOLDEN_MISMATCH: Advice(
        False, "The node's CPU computes other answers than the one that verified; report it with both CPU models."
    ),
    Reason.ROLLOUT_OVERDUE: Advice(
        True, "See what `kubectl describe` says about the pods of the Deployment; they are waited for."
    ),
    Reason.KEDA_NOT_INSTALLED: Advice(
        True,
        "Install KEDA (https://keda.sh/docs/latest/deploy/), or scale by cpuUtilization and memoryUtilization alone; it is looked for again.",
    ),
    Reason.PROMETHEUS_NOT_CONFIGURED: Advice(
        True, "Set serving.autoscaling.prometheusAddress in the values of the chart, or choose other targets."
    ),
    Reason.METRICS_UNAVAILABLE: Advice(
        True,
        "Check what has the metrics: metrics-server for cpuUtilization and memoryUtilization, else what the trigger names; it is asked again.",
    ),
    Reason.AUTOSCALER_FAILED: Advice(
        True, "See what `kubectl describe` says about the HorizontalPodAutoscaler or ScaledObject; it tries again."
    ),
}
