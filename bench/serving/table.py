"""The result as a table for people and as a file for comparisons."""

import json
from pathlib import Path
from typing import Any

from serving.cases import Row

_COLUMNS = ("case", "ours", "beside", "compared", "goal", "met", "p50 / p99 in ms", "further")


def render(rows: list[Row]) -> str:
    """Return a Markdown table."""
    lines = [_COLUMNS, ("---",) * len(_COLUMNS), *map(_cells, rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def is_met(row: Row) -> bool:
    """Return whether the goal was reached: ratios are to be high, differences low."""
    reached = row["ratio"] >= row["goal"] if "ratio" in row else row["difference"] <= row["goal"]
    return bool(reached and row.get("p99IsNoWorse", True))


def write(file: Path, result: dict[str, Any]) -> None:
    """Write the file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(result, indent=2) + "\n")


def _cells(row: Row) -> tuple[str, ...]:
    is_ratio = "ratio" in row
    compared = f"{row['ratio']:.1f} times" if is_ratio else f"+ {row['difference']:.3g}"
    goal = f"{row['goal']:g} times" if is_ratio else f"+ {row['goal']:g}"
    pairs = [(row[f"{whose}50Milliseconds"], row[f"{whose}99Milliseconds"]) for whose in _whose(row)]
    times = ", beside ".join(f"{p50:.2f} / {p99:.2f}" for p50, p99 in pairs)
    further = [f"{name[:-5]} {row[name]:.1f} times" for name in sorted(row) if name.endswith("Ratio")]
    values = [f"{row[name]:,.0f}" if is_ratio else f"{row[name]:.3g}" for name in ("ours", "peer")]
    return (row["case"], *values, compared, goal, "yes" if is_met(row) else "no", times, ", ".join(further))


def _whose(row: Row) -> list[str]:
    return [whose for whose in ("p", "peerP") if f"{whose}50Milliseconds" in row]
