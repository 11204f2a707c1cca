"""A Job on this machine: its steps as processes with volumes, a mounted Secret and a store; and small sources."""

import io
import os
import subprocess
import sys
import tarfile
import zipfile

import msgspec
import numpy as np
from onnx import TensorProto, helper, numpy_helper

from modelport.jobs.requests import ImportRequest, LocationRequest
from modelport.jobs.results import StepResult
from modelport.storage.store import open_store

KEY = "a" * 32


def model_bytes():
    weights = numpy_helper.from_array(np.ones((4, 2), np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 2])],
        [weights],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString()


def zip_bytes(files):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def tar_bytes(files):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def samples_bytes(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


CODE = zip_bytes({"net.py": b"x = 1\n"})
IMPORT = ("fetch", "inspect", "keep")


def import_of(uri, digest=None, code=None, data=None, requirements=None, **more):
    given = {"source": uri, "code": code, "requirements": requirements, "data": data}
    locations = {role: LocationRequest(uri=each) for role, each in given.items() if each}
    locations["source"] = LocationRequest(uri=uri, digest=digest)
    return ImportRequest(locations=locations, **more)


class Pod:
    """Runs steps of one Job, each with its own volume."""

    def __init__(self, folder):
        self.work, self.credentials, self.sources = folder / "work", folder / "credentials", folder / "sources"
        self.store_uri = f"file://{folder}/store"
        for path in (self.work, self.credentials / "store", self.sources):
            path.mkdir(parents=True)
        (self.credentials / "store" / "uri").write_text(self.store_uri)
        self.store = open_store({"uri": self.store_uri})

    def start(self, step, request, command=("-m", "modelport_converter"), **variables):
        return subprocess.Popen(
            [sys.executable, *command, *step.split()],
            env=os.environ
            | {
                "PYTHONPATH": os.pathsep.join(sys.path),
                "MODELPORT_REQUEST": msgspec.json.encode(request).decode(),
                "MODELPORT_WORK": str(self.work),
                "MODELPORT_CREDENTIALS": str(self.credentials),
                "MODELPORT_ALLOW_FILE": "1",
            }
            | variables,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *steps, request):
        """Start all steps at once, the last first, and return exit statuses and what the last one left."""
        running = [(step, self.start(step, request)) for step in reversed(steps)]
        logs = {step: process.communicate(timeout=120)[1] for step, process in running}
        statuses = {step: process.returncode for step, process in running}
        return [statuses[step] for step in steps], self.result(steps[-1]), logs

    def result(self, step):
        path = self.work / step.split()[-1] / "result.json"
        return msgspec.json.decode(path.read_bytes(), type=StepResult) if path.exists() else None

    def source(self, name, content):
        (self.sources / name).parent.mkdir(parents=True, exist_ok=True)
        (self.sources / name).write_bytes(content)
        return f"file://{self.sources}/{name}"
