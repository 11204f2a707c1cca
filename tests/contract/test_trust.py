"""A format that runs code when it is opened is opened by nothing, unless the resource says that its source is trusted."""

import pytest

from modelport.api.base import API_VERSION
from modelport.api.reasons import Reason
from modelport.api.resource import parse
from modelport.api.status import SourceStatus
from modelport.conversion.base import Converter, Format
from modelport.conversion.detection import Evidence
from modelport.conversion.onnx_options import OnnxOptions
from modelport.errors import ModelportError
from modelport.frameworks import CONVERTERS, FORMATS, FRAMEWORKS
from modelport.frameworks.onnx import FRAMEWORK
from modelport.jobs.planning import paths
from modelport.paths import check_trust
from modelport_cli.local.jobs import plan_conversions
from unit.operator.scenes import import_steps, job_of, plan_for, pod
from unit.operator.scenes import resource as resource_of

IMAGES = {"converter-onnx": "onnx@1", "server-onnxruntime": "server@1"}
JOBLIB = Format("joblib", "Estimators", lambda tree: Evidence({"model": tree.paths[0]}))
CONVERTER = Converter("joblib", "onnx", OnnxOptions, cost=1)
BACK = Converter("onnx", "joblib", OnnxOptions, cost=1)
TRUST = "spec.source.trust: expected Trusted, because opening joblib runs code"


def resource(trust="Untrusted"):
    spec = {"source": {"uri": "s3://models/net.joblib", "trust": trust}}
    return parse({"apiVersion": API_VERSION, "kind": "ModelConversion", "metadata": {"name": "net"}, "spec": spec})


@pytest.fixture(autouse=True)
def toy(monkeypatch):
    """A framework like ONNX, in its image, whose format runs code."""
    joblib = JOBLIB._replace(executes_code=True)
    formats, converters = (joblib, *FRAMEWORK.formats), (CONVERTER, BACK, *FRAMEWORK.converters)
    monkeypatch.setitem(FRAMEWORKS, "onnx", FRAMEWORK._replace(formats=formats, converters=converters))
    monkeypatch.setitem(FORMATS, "joblib", joblib)
    for converter in (CONVERTER, BACK):
        monkeypatch.setitem(CONVERTERS, converter.name, converter)


@pytest.mark.parametrize(("trust", "executes_code"), [("Trusted", True), ("Untrusted", False), ("Trusted", False)])
def test_code_of_a_trusted_source_may_run_and_where_none_runs_nothing_need_be_trusted(trust, executes_code):
    check_trust(JOBLIB._replace(executes_code=executes_code), resource(trust).spec)


def test_a_path_from_it_begins_only_with_trust():
    assert [hop.converter for hop in paths(resource("Trusted"), "joblib", IMAGES)[0]] == ["joblib-to-onnx"]
    with pytest.raises(ModelportError, match=TRUST) as failed:
        paths(resource(), "joblib", IMAGES)
    assert failed.value.reason == Reason.UNTRUSTED_SOURCE


def test_a_path_leads_to_it_only_with_trust(monkeypatch):
    """Who opens what a hostile source was turned into runs that source's code."""
    for name in CONVERTERS.keys() - {CONVERTER.name, BACK.name}:
        monkeypatch.delitem(CONVERTERS, name)
    path = [hop.converter for hop in paths(resource("Trusted"), "onnx", IMAGES)[0]]
    assert path == ["onnx-to-joblib", "joblib-to-onnx"]
    with pytest.raises(ModelportError, match=TRUST):
        paths(resource(), "onnx", IMAGES)


def test_a_run_on_this_machine_opens_it_only_with_trust():
    source = SourceStatus(
        key="k", uri="file:///net.joblib", digests={"source": "sha256:" + "a" * 64}, format="joblib", size_bytes=1
    )
    with pytest.raises(ModelportError, match=TRUST):
        plan_conversions(resource(), source)
    hops = [[hop.converter for hop in plan.request.hops] for plan in plan_conversions(resource("Trusted"), source)]
    assert hops == [["joblib-to-onnx"]]


@pytest.mark.parametrize("trust", ["Untrusted", "Trusted"])
def test_on_a_cluster_no_job_opens_it_without_trust(trust):
    case = resource_of({"source": {"uri": "s3://models/net.joblib", "trust": trust}})
    plan = plan_for(case, job_of(plan_for(case), pod(*import_steps(format_name="joblib"))))
    jobs = [child.body["metadata"]["name"] for child in plan.create if child.body["kind"] == "Job"]
    if trust == "Trusted":
        assert [name.startswith("net-convert") for name in jobs] == [True]
    else:
        assert (jobs, plan.progress.failure.reason) == ([], Reason.UNTRUSTED_SOURCE)
        assert plan.progress.failure.message.startswith(TRUST)
