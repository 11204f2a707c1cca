"""What a further hop adds to a whole conversion, beside the converter's own time: `make bench-hops`.

The real PNet is converted to ONNX and, in turns, by one hop or two more to each target. The log of a hop tells how long it
converted; the rest of the difference is Modelport's: a framework more to load, the candidate asked in another runtime, and what is
carried from step to step.
"""

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mutations import packages

TURNS = 3
MOST_SECONDS = 3
"""The goal, for each further hop."""
MEMBER = "facenet_pytorch/data/pnet.pt"
CODE = [f"facenet_pytorch/models/{each}.py" for each in ("mtcnn", "utils/detect_face")]
TARGETS = ("tvm", "tensorflow-saved-model", "tflite")
DONE = re.compile(r"hop-\d+: done in ([\d.]+) s")


def main() -> None:
    """Measure each target beside ONNX in turns, and print its row."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--turns", type=int, default=TURNS, help="how often each is measured")
    turns = parser.parse_args().turns
    print(
        "| target | further hops | whole | to ONNX | hops' own time | added per hop | goal |\n|---|---|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        packages.write_members(packages.FACENET, "", [MEMBER], folder / "model")
        packages.write_members(packages.FACENET, "", CODE, folder / "code")
        for target in TARGETS:
            _convert(target, folder)  # fills what the machine caches
            pairs = [(_convert("onnx", folder), _convert(target, folder)) for _ in range(turns)]
            hops = len(pairs[0][1][1])
            shorter, whole, own = (
                statistics.median(values)
                for values in zip(*((one[0], more[0], sum(more[1])) for one, more in pairs), strict=True)
            )
            added = (whole - shorter - own) / hops
            shown = f"{whole:.1f} s | {shorter:.1f} s | {own:.1f} s | {added:.1f} s | ≤ {MOST_SECONDS} s"
            print(f"| {target} | {hops} | {shown} |", flush=True)


def _convert(target: str, folder: Path) -> tuple[float, list[float]]:
    """Return the seconds of a whole conversion, and those that its hops after the first converted for."""
    command = [sys.executable, "-m", "modelport_cli", "convert", folder / "model" / MEMBER, "--to", target]
    command += ["--input", "image=float32:1,3,64,64:-1..1", "--code", folder / "code", "--trust"]
    command += ["--factory", "facenet_pytorch.models.mtcnn:PNet", "--argument", "pretrained=false"]
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        place = Path(scratch)
        began = time.monotonic()
        places = ["--output", place / "out", "--work", place / "work"]
        ended = subprocess.run([*command, *places], capture_output=True, text=True, check=False)
        seconds = time.monotonic() - began
        if ended.returncode:
            sys.exit(f"{target}: {ended.stderr[-1000:]}")
        logs = sorted((place / "work" / "convert").glob("hop-*.log"))[1:]
        return seconds, [float(took) for log in logs for took in DONE.findall(log.read_text())]


if __name__ == "__main__":
    main()
