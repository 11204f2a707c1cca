"""How a container of a Job is run: its environment, its folders, what it leaves, and how it ends.

Layout of a step's volume, `$MODELPORT_WORK/<step>/`: `lock` is held (flock) while the step lives, `out/` has its files,
`result.json` appears last, by rename. Later steps mount it read-only; how they wait is in `modelport.steps.runner.runner`.
"""

from enum import IntEnum

REQUEST_VARIABLE = "MODELPORT_REQUEST"

WORK_VARIABLE = "MODELPORT_WORK"

CREDENTIALS_VARIABLE = "MODELPORT_CREDENTIALS"

DEFAULT_WORK = "/work"

DEFAULT_CREDENTIALS = "/run/modelport/credentials"
"""Folder with one folder per role (`store`, and the roles of locations), a mounted Secret: one file per key."""

TERMINATION_LOG = "/dev/termination-log"

MAX_REQUEST_BYTES = 65_536

POD_MESSAGES_BYTES = 12_288
"""What the kubelet keeps of the termination messages of a pod: each container has the same share, the rest is cut off."""

MAX_RESULT_BYTES = 1_024

MAX_EVIDENCE_BYTES = 1_536
"""Of the result with the evidence: the share of one in eight containers, of which a cluster may have added some."""

STORE_SECRET = "modelport-store"  # noqa: S105 - the name of a Secret, not one
"""Secret of the namespace: `uri` (s3://bucket/prefix) and AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL, AWS_REGION."""


class ExitStatus(IntEnum):
    """How a step ends; the pod failure policy of Jobs reads INVALID."""

    DONE = 0
    INVALID = 64  # wrong for good: the same request fails again
    SKIPPED = 69  # an earlier step ended without a result
    RETRY = 75  # try again later
