"""Networks that DL4J itself makes and answers (Networks.java), real files of its own tests, and files written by hand."""

import io
import json
import os
import struct
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from modelport.verification.arrays import Array

PROGRAM = Path(__file__).with_name("Networks.java")
SHARED = Path(__file__).resolve().parents[4] / "shared" / "models" / "dl4j"
"""Files that DL4J's developers saved, with answers of the versions that they saved them with."""
REAL = {
    "upsampling": ("100a-upsampling/net.bin", "100a-upsampling/in.bin", "100a-upsampling/out.bin"),
    "cnn": tuple(f"100b6/SyntheticCNN_{part}100b6.bin" for part in ("", "Input_", "Output_")),
    "bidirectional": tuple(
        f"100b6/SyntheticBidirectionalRNNGraph_{part}100b6.bin" for part in ("", "Input_", "Output_")
    ),
    "lenet": ("LenetMnist/Model_RANDOM_INIT_UNTRAINED.zip",),
    "csv-rnn": ("RnnCsvSequenceClassification1/Model_RANDOM_INIT_UNTRAINED.zip",),
}
"""Model, question and answer; of two the question is not there."""
SECONDS = 600


def environment() -> Path:
    """Return the folder of the environment that DL4J's jars are in: this one, or one that is prepared first."""
    own = Path(sys.prefix)
    if (own / "jars").is_dir():
        return own
    from modelport_cli.local.environments import find_recipe, prepare  # which is not in that one

    return prepare(find_recipe("converter-dl4j")).parents[1]


def make(folder: Path, *names: str, seed: int = 0) -> Path:
    """Have DL4J make networks, all of them or some, in folders of their names."""
    command = ["java", f"-Dseed={seed}", f"-Djava.io.tmpdir={folder}", "-cp", f"{environment() / 'jars'}/*"]
    folder.mkdir(parents=True, exist_ok=True)
    ended = subprocess.run(
        [*command, PROGRAM, folder, *names],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
        env={**os.environ, "TMPDIR": str(folder)},
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    return folder


def arrays(folder: Path, kind: str) -> list[Array]:
    """Return questions (`in`) or answers (`out`) of a network that was made."""
    count = len(list(folder.glob(f"{kind}.*.npy")))
    return [np.load(folder / f"{kind}.{number}.npy") for number in range(count)]


def stored(path: Path) -> Array:
    """Return an array as ND4J wrote it, of any rank (Nd4j.write)."""
    content = io.BytesIO(path.read_bytes())
    words, values = _buffer(content), _buffer(content)
    rank = int(words[0])
    return values.reshape([int(each) for each in words[1 : rank + 1]], order="F" if words[-1] == ord("f") else "C")


def _buffer(content: io.BytesIO) -> Array:
    word = content.read(struct.unpack(">H", content.read(2))[0]).decode()
    wide = word in {"LONG_SHAPE", "MIXED_DATA_TYPES"}
    (length,) = struct.unpack(">q" if wide else ">i", content.read(8 if wide else 4))
    kind = content.read(struct.unpack(">H", content.read(2))[0]).decode()
    dtype = np.dtype({"FLOAT": ">f4", "DOUBLE": ">f8", "HALF": ">f2", "INT": ">i4", "LONG": ">i8"}[kind])
    return np.frombuffer(content.read(length * dtype.itemsize), dtype).astype(dtype.newbyteorder("="))


def vector(values: Array) -> bytes:
    """Return values as ND4J writes parameters: one row, of float32."""
    shape = struct.pack(">8q", 2, 1, len(values), len(values), 1, 0, 1, ord("c"))
    head = _word("MIXED_DATA_TYPES") + struct.pack(">q", 8) + _word("LONG") + shape
    return (
        head
        + _word("MIXED_DATA_TYPES")
        + struct.pack(">q", len(values))
        + _word("FLOAT")
        + values.astype(">f4").tobytes()
    )


def _word(text: str) -> bytes:
    return struct.pack(">H", len(text)) + text.encode()


def write(path: Path, configuration: Mapping[str, Any] | bytes, coefficients: bytes) -> Path:
    """Write an archive as ModelSerializer does, of whatever content."""
    with zipfile.ZipFile(path, "w") as archive:
        content = configuration if isinstance(configuration, bytes) else json.dumps(configuration).encode()
        archive.writestr("configuration.json", content)
        archive.writestr("coefficients.bin", coefficients)
    return path


def chain(*layers: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    """Return the configuration of a sequential network, of layers with their class, without its package."""
    package = "org.deeplearning4j.nn.conf.layers."
    confs = [{"layer": {**layer, "@class": package + layer["@class"]}, "variables": []} for layer in layers]
    return {"confs": confs, "dataType": "FLOAT", **fields}


def dense(inputs: int, outputs: int, activation: str = "Identity") -> dict[str, Any]:
    """Return a layer of vectors."""
    function = {"@class": f"org.nd4j.linalg.activations.impl.Activation{activation}"}
    return {"@class": "DenseLayer", "nin": inputs, "nout": outputs, "hasBias": True, "activationFn": function}
