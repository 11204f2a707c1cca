"""Step try: the image that will serve the model loads it as it will be served, and asks it what the source was asked.

The model's files are copied into this step's own volume while they are hashed, and the copy is loaded: what answers is
what publish uploads, whatever the step before does to its files afterwards. Nothing is judged here.
"""

import resource
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from modelport.api.reasons import Reason
from modelport.conversion.base import Runtime
from modelport.errors import ModelportError, lacks_memory
from modelport.jobs.containers import candidate_step
from modelport.jobs.requests import ConvertRequest, JobRequest
from modelport.jobs.results import StepResult
from modelport.runtimes import runtime_for
from modelport.steps.handover import (
    ARTIFACT,
    CANDIDATE,
    DOUBTS,
    naming_doubts,
    read_manifest,
    read_signature,
)
from modelport.steps.runner import Context, say
from modelport.storage.files import copy_beneath, list_tree
from modelport.storage.manifests import MODEL, ArtifactManifest, Candidate, File, is_of_model, model_paths
from modelport.verification.answers import FILE_NAME as ANSWERS
from modelport.verification.answers import Tried, write_answers
from modelport.verification.arrays import Tensors
from modelport.verification.calls import Infer, run_calls
from modelport.verification.performance import Measurement, measure, write_measurement
from modelport.verification.reference import FILE_NAME as REFERENCE
from modelport.verification.reference import Answers, Reference, Sample, read_reference
from modelport.verification.samples.probing import stopwatch
from modelport.verification.verdict.companies import find_companies
from modelport.verification.verdict.nearness import is_near
from modelport_server.backends.base import How, LoadOptions
from modelport_server.execution import loading, processors


class _Attempt(NamedTuple):
    """One way to load the model, and what came of it."""

    options: LoadOptions
    infer: Infer | None = None
    answers: tuple[Answers, ...] | None = None
    load_seconds: float = 0.0
    error: ModelportError | None = None
    is_near: bool = False


class _Model(NamedTuple):
    """The copied model, and what it is to be asked."""

    folder: Path
    """Of the artifact that the files are of."""
    files: list[File]
    runtime: Runtime
    request: ConvertRequest
    reference: Reference


def try_model(context: Context) -> StepResult:
    """Leave the model's files, how they were loaded, and the answers."""
    request, asked = context.request, context.out_of("ask")
    assert isinstance(request, ConvertRequest)
    stored = read_manifest(context.out_of("stage") / ARTIFACT)[0] if request.artifact_digest else None
    signature = stored.signature if stored else read_signature(asked)
    model = _Model(
        folder=context.out / ARTIFACT,
        files=_copy(context, request, stored),
        runtime=runtime_for(request.target_format),
        request=request,
        reference=read_reference(asked / REFERENCE),
    )
    backend = loading.find(model.runtime.name)
    loading.check_types(model.runtime.name, backend.TRAITS, signature)
    # a stored artifact is served as its manifest says, so it is tried in that way alone
    ways = [stored.load_options] if stored else backend.WAYS
    attempts = _attempt(context, model, ways)
    with naming_doubts([context.out_of(candidate_step(request))]):
        chosen = _choose(attempts)
    assert chosen.infer is not None
    assert chosen.answers is not None
    companies = find_companies(chosen.infer, model.reference, signature)
    write_answers(context.out / ANSWERS, Tried(chosen.answers, companies))
    caveats = _caveats(model.runtime, attempts[0], chosen)
    if caveats:  # what a runtime refused comes before what it then answered wrongly
        (context.out / DOUBTS).write_bytes(msgspec.json.encode(caveats))
    measured = Measurement(
        questions=measure(chosen.infer, model.reference.usual),
        load_milliseconds=chosen.load_seconds * 1e3,
        memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10,
    )
    write_measurement(context.out, measured)
    candidate = Candidate(
        runtime=model.runtime.name,
        files=model.files,
        load_options=dict(chosen.options),
        caveats=caveats,
    )
    (context.out / CANDIDATE).write_bytes(msgspec.json.encode(candidate))
    say(context.name, f"{len(chosen.answers)} samples are answered")
    return StepResult(step=context.name)


def prepare(request: JobRequest) -> None:
    """Load the runtime while the model is still being converted."""
    assert isinstance(request, ConvertRequest)
    loading.find(runtime_for(request.target_format).name)


def _copy(context: Context, request: ConvertRequest, stored: ArtifactManifest | None) -> list[File]:
    source, target = context.out_of(candidate_step(request)), context.out / ARTIFACT
    if stored:
        source, paths = source / ARTIFACT, [file.path for file in stored.files if is_of_model(file)]
    else:
        paths = _list_model(source)
    return [copy_beneath(source, path, target / path) for path in paths]


def _list_model(hop: Path) -> list[str]:
    """Return the paths of the model's files that the step before has left, which may be hostile."""
    folder = hop / MODEL
    if folder.is_symlink() or not folder.is_dir() or not (paths := list_tree(folder)):
        message = f"{MODEL}: expected a folder with files of the step before, found something else"
        raise ModelportError(Reason.UNSAFE_SOURCE, message)
    return [f"{MODEL}/{path}" for path in paths]


def _attempt(context: Context, model: _Model, ways: Sequence[LoadOptions]) -> list[_Attempt]:
    """Load the model and ask it, in one way after the other until one answers nearly as the source does."""
    attempts: list[_Attempt] = []
    for options in ways:
        last = _try(model, options)
        if not last.is_near and any(each.answers for each in attempts):
            last = last._replace(infer=None, answers=None)  # never chosen, and a large model's memory is missed
        attempts.append(last)
        if last.is_near:
            break
        what = last.error.message if last.error else "its answers are far from the source's"
        say(context.name, f"{model.runtime.description}, {_shown(options)}: {what}")
    return attempts


def _try(model: _Model, options: LoadOptions) -> _Attempt:
    samples, paths = model.reference.samples, model_paths(model.files)
    spent = stopwatch()
    try:
        infer = loading.load(model.runtime.name, model.folder / MODEL, paths, How(options, processors.available()))
        load_seconds = spent()
        infer = _ordered(infer, list(samples[0].outputs[0]))
        answers = tuple(_ask(number, each, infer, model.request) for number, each in enumerate(samples))
    except ModelportError as error:
        return _Attempt(options, error=error)
    return _Attempt(options, infer, answers, load_seconds, is_near=is_near(model.reference, answers))


def _ordered(infer: Infer, names: Sequence[str]) -> Infer:
    """Return what answers in the source's order, where it has the same outputs: they go by name, and not all files order them."""

    def run(inputs: Tensors) -> Tensors:
        answers = infer(inputs)
        return {name: answers[name] for name in names} if answers.keys() == set(names) else answers

    return run


def _ask(number: int, sample: Sample, infer: Infer, request: ConvertRequest) -> Answers:
    try:
        return run_calls(infer, sample.inputs, request.states)
    except Exception as error:  # a runtime's errors have no common base
        if sample.is_edge and not lacks_memory(error):
            return tuple({} for _ in sample.inputs)  # no answer; judge tells it as what edges differ in
        told = error.message if isinstance(error, ModelportError) else " ".join(str(error).split())
        message = f"sample {number} ({_shapes(sample.inputs[0])}): the converted model fails: {told:.300}"
        raise ModelportError(Reason.RUNTIME_UNSUPPORTED, message) from error


def _choose(attempts: list[_Attempt]) -> _Attempt:
    """Return the attempt that is near the source, else the first that answers. Raises ModelportError if none does."""
    answering = sorted((each for each in attempts if each.answers is not None), key=lambda each: not each.is_near)
    if answering:
        return answering[0]
    error = attempts[0].error
    assert error is not None
    raise error


def _caveats(runtime: Runtime, first: _Attempt, chosen: _Attempt) -> list[str]:
    if chosen is first:
        return []
    fault = "does not load or run this model" if first.error else "changes the answers of this model"
    return [f"{runtime.description} {fault} in its default way; it is loaded with {_shown(chosen.options)}"]


def _shown(options: LoadOptions) -> str:
    return ", ".join(f"{name}={value}" for name, value in options.items()) or "as it loads by itself"


def _shapes(tensors: Tensors) -> str:
    return ", ".join(f"{name} {list(tensor.shape)}" for name, tensor in tensors.items())[:200]
