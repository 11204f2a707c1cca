"""The steps from a stored model to ONNX, called in this process: inspect, ask, and the hop of the first path that works.

Run by the Python of the converter's environment; one process converts many models.
"""

import pathlib
import sys
import traceback
from typing import Any, NamedTuple

import msgspec

from builders import convert_request
from modelport.api.reasons import Reason
from modelport.conversion.detection import detect
from modelport.errors import ModelportError
from modelport.frameworks import CONVERTERS, SOURCES
from modelport.jobs.requests import Hop
from modelport.steps.runner import Context
from modelport.storage.files import list_tree
from modelport.storage.trees import FolderTree
from modelport_converter.frameworks import inspect_model
from modelport_converter.steps.ask import ask
from modelport_converter.steps.hop import hop


class Outcome(NamedTuple):
    """What came of one model."""

    reason: str = ""
    message: str = ""
    format: str = ""
    by: str = ""
    """Of the path that was taken."""


def convert(folder: pathlib.Path, *, by: str | None = None, options: Any = None, **request: Any) -> Outcome:
    """Convert what lies in FOLDER/stage/out, source and code, and leave the steps' volumes and request.json in FOLDER.

    `by` takes one path alone, of those to ONNX.
    """
    try:
        name = request.get("source_format") or _inspect(
            folder / "stage" / "out" / "source", is_trusted=request.get("trusted", False)
        )
        paths = [each for each in CONVERTERS.values() if each[:2] == (name, "onnx") and by in (None, each.by)]
        return _follow(
            folder, sorted(paths, key=lambda each: each.cost), options or {}, {**request, "source_format": name}
        )
    except ModelportError as error:
        return Outcome(str(error.reason), error.message)
    except Exception:  # noqa: BLE001  # what escapes is a fault that the tests show
        return Outcome("StepCrashed", traceback.format_exc())


def _inspect(folder: pathlib.Path, *, is_trusted: bool) -> str:
    paths = list_tree(folder)
    found = detect(FolderTree(folder, tuple(paths)), SOURCES.values())
    if found is None:
        raise ModelportError(Reason.UNKNOWN_FORMAT, f"none in {', '.join(paths)}")
    name = found[0].name
    try:
        inspect_model(name, folder, paths)
    except ModelportError as error:
        if error.reason != Reason.UNTRUSTED_SOURCE or not is_trusted:
            raise
    return name


def _follow(folder: pathlib.Path, paths: list[Any], options: Any, request: dict[str, Any]) -> Outcome:
    failures: list[ModelportError] = []
    for number, path in enumerate(paths):
        found = Hop(converter=path.name, source=path.source, target=path.target, by=path.by, image="i", options=options)
        asked = convert_request(hops=[found], **request)
        (folder / "request.json").write_bytes(msgspec.json.encode(asked))
        for step, name in ((ask, "ask"), (hop, "hop-1"))[number > 0 :]:
            if (folder / name).exists():
                (folder / name).rename(folder / f"{name}-refused")
            (folder / name / "out").mkdir(parents=True)
            sys.modules.pop("net", None)
            try:
                step(Context(name, asked, folder, folder))
            except ModelportError as error:
                if step is ask:
                    raise
                failures.append(error)
            else:
                if step is hop:
                    return Outcome(format=request["source_format"], by=path.by)
    raise failures[0]
