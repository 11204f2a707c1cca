"""`modelport convert`: one model file without a manifest, and the manifest that does the same on a cluster."""

import re
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from modelport.api.base import API_VERSION, KIND
from modelport.jobs.environment import STORE_SECRET
from modelport_cli.access.cluster import connect
from modelport_cli.access.stores import namespace_store
from modelport_cli.arguments import Context, Namespace, TargetFormat, complete_sources
from modelport_cli.errors import Exit, UsageError
from modelport_cli.local.conversion import convert_here, use_local_files
from modelport_cli.local.isolation import Wanted
from modelport_cli.manifest import parse_resource
from modelport_cli.uploads import Upload, describe_upload, send

STORE = "s3://BUCKET/PREFIX"
"""Stands for the store of a namespace that was not named."""
_LONGEST_NAME = 52
Words = Annotated[list[str], Parameter(negative="", show_default=False)]
Flag = Annotated[bool, Parameter(negative="", show_default=False)]


def convert(
    file: Path,
    /,
    *,
    to: TargetFormat = "onnx",
    output: Path | None = None,
    source_format: Annotated[str | None, Parameter(name="--from", completer=complete_sources)] = None,
    option: Words = [],  # noqa: B006 the library copies it
    key: str | None = None,
    input: Words = [],  # noqa: A002, B006 the word of its option
    dimension: Words = [],  # noqa: B006
    shape: Words = [],  # noqa: B006
    calibration: Path | None = None,
    data: Path | None = None,
    tolerance: float | None = None,
    code: Path | None = None,
    factory: str | None = None,
    argument: Words = [],  # noqa: B006
    object: Words = [],  # noqa: A002, B006
    module: Words = [],  # noqa: B006
    requirements: Path | None = None,
    trust: Flag = False,
    manifest: Flag = False,
    json: Flag = False,
    work: Path | None = None,
    isolation: Wanted = "auto",
    namespace: Namespace = None,
    context: Context = None,
) -> int:
    """Convert and verify a model without a cluster or a manifest; print the manifest that does the same on a cluster.

        modelport convert net.h5 --to onnx --output net-onnx

    Parameters
    ----------
    file
        The model: a file, an archive or a folder.
    to
        Format to convert to; `modelport formats` lists them.
    output
        Folder for the artifact, which `modelport serve` takes; FILE-FORMAT in the current folder if not given.
    source_format
        Format of the model; found out from the files if not given.
    option
        Option of the converter, as NAME=VALUE, such as opset=17. May be repeated.
    key
        What to take of a file that holds several: weights, a signature, or the outputs of a graph.
    input
        Input of the model, where the format does not tell, as NAME=TYPE:LENGTHS or NAME=TYPE:LENGTHS:MIN..MAX, such as
        image=float32:batch,3,24,24:-1..1; a name is a free dimension. In order, one by one.
    dimension
        Lengths of a free dimension, as NAME=MIN..MAX or NAME=MIN..MAX/MULTIPLE, such as height=32..512/32. May be repeated.
    shape
        Fixed shape of an input in the converted model, as NAME=LENGTHS, such as image=1,3,224,224. May be repeated.
    calibration
        Samples that a converter to int8 measures ranges by: an npz, parquet, or a folder of npy.
    data
        Samples of your own to verify with as well: an npz, parquet, or a folder of npy.
    tolerance
        Relative RMS error that an output may have; what the source model's own noise allows if not given.
    code
        File or folder with the code that builds the model, or that its file refers to.
    factory
        What to call in the code, as module:name; it returns the model.
    argument
        Argument of the factory, as NAME=VALUE. May be repeated.
    object
        Class or function that the file refers to by name, as module:name. May be repeated.
    module
        Module that stands in for the script that saved the model, __main__. May be repeated.
    requirements
        Wheel, archive or folder of wheels that the code needs; `modelport push --requirements` collects them.
    trust
        Let code run that comes with the model, isolated.
    manifest
        Convert nothing, print the manifest alone. With a namespace, push the files into its store first.
    json
        Print the status as JSON, as the operator would write it, and no manifest.
    work
        Folder to keep the steps' files and logs in; a temporary one if not given.
    isolation
        What there is (auto), an error where there is none (required), or none of it: the model has your rights.
    """
    if code is None and (factory or argument or object or module or requirements):
        raise UsageError("expected --code, which says where the code is")
    if code and not trust:
        raise UsageError("--code: expected --trust with it, because the code is run", "Read it first.")
    if namespace and not manifest:
        raise UsageError("--namespace: expected --manifest with it, which is for a cluster")
    located = {
        "source": file,
        "code": code,
        "requirements": requirements,
        "calibration": calibration,
        "data": data,
    }
    given = {role: path for role, path in located.items() if path}
    uploads = {role: describe_upload([path], None) for role, path in given.items()}
    source: dict[str, Any] = {
        "format": source_format,
        "inputs": [_read_input(each) for each in input],
        "dimensions": dict(_read_dimension(each) for each in dimension),
        "checkpoint": {"key": key},
    }
    if code:
        arguments = _read_pairs("--argument", argument)
        source["code"] = {"factory": factory, "arguments": arguments, "objects": object, "modules": module}
    source["trust"] = "Trusted" if trust else None
    rest = {
        "target": {
            "format": to,
            "options": _read_pairs("--option", option),
            "shapes": dict(_read_shape(each) for each in shape),
        },
        "verification": {"tolerance": {"relative": tolerance}},
    }
    body = _body(uploads, source, rest, STORE)
    resource = parse_resource(body, "modelport convert")
    if manifest:
        if namespace:
            body = _body(uploads, source, rest, _push(uploads, namespace, context))
        _print_manifest(body, given)
        return Exit.DONE
    resource = use_local_files(
        resource,
        Path.cwd(),
        source=file,
        code=code,
        requirements=requirements,
        calibration=calibration,
        data=data,
    )
    folder = output or Path(f"{file.resolve().stem}-{to}")
    ended = convert_here(resource, output=folder, work=work, isolation=isolation, is_json=json)
    if ended == Exit.DONE and not json:
        print("\nThe same on a cluster:\n")
        _print_manifest(body, given)
    return ended


def _body(uploads: dict[str, Upload], source: dict[str, Any], rest: dict[str, Any], store: str) -> dict[str, Any]:
    """Return the manifest."""
    located = {
        role: {
            "uri": f"{store}/{each.path}",
            "digest": each.digest,
            "secretRef": {"name": STORE_SECRET},
        }
        for role, each in uploads.items()
    }
    whole = {**located["source"], **source}
    if "code" in located:
        whole["code"] = {**located["code"], **source["code"], "requirements": located.get("requirements")}
    name = re.sub("[^a-z0-9]+", "-", Path(uploads["source"].name).stem.lower()).strip("-")
    if not name[:1].isalpha():
        name = f"model-{name}"
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name[:_LONGEST_NAME].strip("-")},
        "spec": _stated(
            {
                "source": whole,
                "target": {**rest["target"], "calibration": located.get("calibration")},
                "verification": {**rest["verification"], "data": located.get("data")},
            }
        ),
    }


def _stated(fields: dict[str, Any]) -> dict[str, Any]:
    """Return what is stated of an object; what is said of the user's own names is, also where it is nothing."""
    kept = {
        name: _stated(value) if isinstance(value, dict) and name not in ("arguments", "options", "shapes") else value
        for name, value in fields.items()
    }
    return {name: value for name, value in kept.items() if value not in (None, [], {})}


def _push(uploads: dict[str, Upload], namespace: str | None, context: str | None) -> str:
    """Bring the files into the namespace's store, and return its URI."""
    with namespace_store(connect(namespace, context)) as opened:
        for upload in uploads.values():
            send(opened, upload)
        return opened.uri


def _print_manifest(body: dict[str, Any], given: dict[str, Path]) -> None:
    if body["spec"]["source"]["uri"].startswith(STORE):
        for path in given.values():
            print(
                f"# `modelport push {shlex.quote(str(path))}` brings it into the namespace's store and prints its URI"
            )
    yaml: Any = YAML(typ="safe", pure=True)  # its types allow no False where its code asks for one
    yaml.default_flow_style, yaml.sort_base_mapping_type_on_output, yaml.width = None, False, 4096
    yaml.dump(body, sys.stdout)


def _read_pairs(option: str, words: list[str]) -> dict[str, Any]:
    """Return the values of words NAME=VALUE, read as YAML. Raises UsageError."""
    pairs = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not name or not equals:
            raise UsageError(f"{option}: expected NAME=VALUE, found {word!r}")
        try:
            pairs[name] = YAML(typ="safe", pure=True).load(value)
        except YAMLError as error:
            raise UsageError(f"{option} {name}: expected a value as in YAML, found {value!r}") from error
    return pairs


def _read_input(word: str) -> dict[str, Any]:
    """Return the input that a word NAME=TYPE:LENGTHS states. Raises UsageError."""
    found = re.fullmatch(r"(?P<name>[^=]+)=(?P<dtype>\w+):(?P<shape>[\w,]*)(:(?P<low>.+?)\.\.(?P<high>.+))?", word)
    try:
        values = {"values": {"range": [float(found["low"]), float(found["high"])]}} if found and found["low"] else {}
    except ValueError:
        found = None
    if found is None:
        usage = "NAME=TYPE:LENGTHS or NAME=TYPE:LENGTHS:MIN..MAX, such as x=float32:batch,3:-1..1"
        raise UsageError(f"--input: expected {usage}, found {word!r}")
    lengths = [int(each) if each.isdecimal() else each for each in found["shape"].split(",") if each]
    return {"name": found["name"], "dtype": found["dtype"], "shape": lengths} | values


def _read_dimension(word: str) -> tuple[str, dict[str, int]]:
    """Return name and limits of the free dimension that a word NAME=MIN..MAX or NAME=MIN..MAX/MULTIPLE states. Raises UsageError."""
    found = re.fullmatch(r"(?P<name>[^=]+)=(?P<min>\d+)\.\.(?P<max>\d+)(/(?P<multiple>\d+))?", word)
    if found is None:
        usage = "NAME=MIN..MAX or NAME=MIN..MAX/MULTIPLE, such as height=32..512/32"
        raise UsageError(f"--dimension: expected {usage}, found {word!r}")
    multiple = {"multipleOf": int(found["multiple"])} if found["multiple"] else {}
    return found["name"], {"min": int(found["min"]), "max": int(found["max"])} | multiple


def _read_shape(word: str) -> tuple[str, list[int]]:
    """Return an input's name and the shape that a word NAME=LENGTHS gives it. Raises UsageError."""
    found = re.fullmatch(r"(?P<name>[^=]+)=(?P<shape>(\d+(,\d+)*)?)", word)
    if found is None:
        raise UsageError(f"--shape: expected NAME=LENGTHS, such as image=1,3,224,224, found {word!r}")
    return found["name"], [int(each) for each in found["shape"].split(",") if each]
