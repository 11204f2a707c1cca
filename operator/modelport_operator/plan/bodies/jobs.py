"""Jobs as the API server takes them, built from values alone."""

from typing import Any

from modelport.api.resource import ModelConversion
from modelport.jobs.environment import ExitStatus
from modelport_operator import names
from modelport_operator.plan.bodies.metadata import metadata
from modelport_operator.plan.bodies.pods import job_pod
from modelport_operator.plan.progress import Work
from modelport_operator.platforms import Platform

_RETRIED = (int(ExitStatus.SKIPPED), int(ExitStatus.RETRY))
"""Exit codes after which the Job itself tries again. After others (wrong for good, out of memory, out of time, a crash)
it fails at once, and the operator, which sees why, tries again where that can help."""
_START_ALLOWANCE = 600
_PAUSE_ALLOWANCE = 360


def job(work: Work, resource: ModelConversion, platform: Platform, *, attempt: int) -> dict[str, Any]:
    """Return the Job of a stage. A Job is never changed once it is made."""
    conversion = resource.spec.conversion
    tries, queue = conversion.retries + 1, conversion.queue_name
    meta = metadata(
        resource,
        name=work.name,
        stage=work.stage,
        annotations={
            names.KEY_ANNOTATION: work.key,
            names.ATTEMPT_ANNOTATION: str(attempt),
            **({names.INPUTS_ANNOTATION: work.inputs} if work.inputs else {}),
        },
    )
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": meta | {"labels": meta["labels"] | ({names.QUEUE_LABEL: queue} if queue else {})},
        "spec": {
            **({"suspend": True} if queue else {}),  # until Kueue admits it
            "backoffLimit": conversion.retries,
            # a backstop: the one of the pod keeps log and message
            "activeDeadlineSeconds": _START_ALLOWANCE + tries * (conversion.timeout_seconds + _PAUSE_ALLOWANCE),
            "podFailurePolicy": {
                "rules": [
                    {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
                    {
                        "action": "FailJob",
                        "onExitCodes": {"operator": "NotIn", "values": list(_RETRIED)},
                    },
                ]
            },
            "template": job_pod(work, resource, platform),
        },
    }
