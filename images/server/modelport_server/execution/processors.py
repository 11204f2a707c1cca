"""How many processors this container may use: its CPU limit, not the node's size."""

import math
import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def available(root: Path = _CGROUP) -> int:
    """Return the number of whole processors of the CPU limit, at least one."""
    usable = len(os.sched_getaffinity(0))
    limit = _limit(root)
    return max(1, min(usable, math.ceil(limit))) if limit else usable


def _limit(root: Path) -> float | None:
    """Return the quota as a number of processors, of cgroup v2 or v1; None if there is none."""
    try:
        quota, period = (root / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota = (root / "cpu/cpu.cfs_quota_us").read_text().strip()
            period = (root / "cpu/cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    if quota == "max" or int(quota) <= 0:
        return None
    return int(quota) / int(period)
