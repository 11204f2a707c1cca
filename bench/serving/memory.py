"""The memory of a process, as the kernel counts it."""

from pathlib import Path
from typing import NamedTuple

_KIB_PER_MIB = 1024


class Memory(NamedTuple):
    """Resident pages: all of them, with shared ones by their shares, and those that nobody shares."""

    rss_mib: float
    pss_mib: float
    uss_mib: float


def memory_of(process_id: int) -> Memory:
    """Return the memory of one process."""
    lines = Path(f"/proc/{process_id}/smaps_rollup").read_text().splitlines()[1:]
    kib = {name: float(value.split()[0]) for name, value in (line.split(":") for line in lines)}
    own = kib["Private_Clean"] + kib["Private_Dirty"]
    return Memory(*(round(value / _KIB_PER_MIB, 1) for value in (kib["Rss"], kib["Pss"], own)))
