"""Every failure shows its own reason, what to do and the log's tail; what served before goes on.

All cases are applied at once, because waiting for one after the other would take as many times as long; each test
then asserts one.
"""

import time
from collections.abc import Iterator

import pytest

from e2e.failures.failure_cases import CASES, SURVIVORS, WRONG_SECRET, Case, Given
from e2e.pods.loops import Seen, check_unbroken
from e2e.sources.models import onnx_mlp
from e2e.tenants.conversions import (
    Body,
    check_conditions,
    check_failure,
    condition,
    failure_of,
    has_failed_with,
    is_ready,
    is_stalled,
)
from e2e.tenants.tenant import ONE, Tenant
from modelport.api.reasons import ADVICE, Reason

SERVED = onnx_mlp(60)
SECONDS = 540
"""In which all cases must have come to their end."""
Outcomes = dict[str, Body | AssertionError]


def _name(case: str, run_id: str) -> str:
    return f"fails-{case.lower().replace(' ', '-')[:35]}-{run_id}"


@pytest.fixture(scope="module")
def survivors(module_a: Tenant, run_id: str) -> dict[str, str]:
    """Serve a good model under the name of each case in SURVIVORS; return their digests."""
    names = [_name(case, run_id) for case in SURVIVORS]
    module_a.apply(names[0], module_a.source(SERVED), serving=ONE)
    module_a.ready(names[0])
    for name in names[1:]:  # these reuse what the first one converted
        module_a.apply(name, module_a.source(SERVED), serving=ONE)
    return {name: module_a.ready(name)["status"]["artifact"]["digest"] for name in names}


@pytest.fixture(scope="module")
def _wrong_secret(module_a: Tenant) -> Iterator[None]:
    """Make a Secret whose keys open nothing."""
    values = module_a.store.values | {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing"}
    metadata = {"name": WRONG_SECRET, "namespace": module_a.namespace}
    module_a.cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values})
    yield
    module_a.cluster.delete("Secret", WRONG_SECRET, module_a.namespace)


@pytest.fixture(scope="module")
def observed(
    module_a: Tenant, survivors: dict[str, str], _wrong_secret: None, run_id: str
) -> tuple[Outcomes, dict[str, Seen]]:
    """Apply all cases while the survivors are asked without end; return what became of each, and what was seen."""
    given = Given(module_a.store, module_a.factories)
    outcomes: Outcomes = {}
    with module_a.client.asking(dict.fromkeys(survivors, SERVED)) as seen:
        for name, case in CASES.items():
            serving = ONE if name in SURVIVORS else None
            module_a.apply(_name(name, run_id), case.source(given), serving=serving, **case.spec)
        deadline = time.monotonic() + SECONDS
        for name, case in CASES.items():
            outcomes[name] = _outcome(module_a, _name(name, run_id), case, deadline - time.monotonic())
    return outcomes, seen


def _outcome(tenant: Tenant, name: str, case: Case, seconds: float) -> Body | AssertionError:
    """Return the resource when it is what the case expects, or when it will never be."""
    expected = has_failed_with(case.reason)
    try:
        return tenant.wait(
            name,
            lambda body: expected(body) or is_ready(body) or is_stalled(body),
            what=case.reason,
            seconds=seconds,
        )
    except AssertionError as error:
        return error


@pytest.fixture
def failed(observed: tuple[Outcomes, dict[str, Seen]], case: str, a: Tenant, run_id: str) -> Body:
    """Return the resource of a case."""
    a.cluster.touched[a.namespace, _name(case, run_id)] = None
    outcome = observed[0][case]
    if isinstance(outcome, AssertionError):
        raise outcome
    return outcome


@pytest.mark.parametrize("case", CASES)
def test_failure_tells_reason_hint_and_log(case: str, failed: Body) -> None:
    expected = CASES[case]
    failure = failure_of(failed)
    assert failure.get("reason") == expected.reason, failure or failed["status"]["conditions"]
    check_failure(failed, expected.reason, stage=expected.stage)
    check_conditions(failed)
    assert expected.says in failure["message"]
    assert expected.log in failure.get("logTail", "")
    assert bool(condition(failed, "Stalled")) is (not ADVICE[expected.reason].retryable)


@pytest.mark.parametrize("case", SURVIVORS)
def test_what_served_before_goes_on(
    case: str, failed: Body, observed: tuple[Outcomes, dict[str, Seen]], survivors: dict[str, str], run_id: str
) -> None:
    name = _name(case, run_id)
    check_unbroken(observed[1][name], SERVED)
    assert failed["status"]["serving"]["artifactDigest"] == survivors[name]
    assert failed["status"]["serving"]["readyReplicas"] == 1
    assert condition(failed, "Available")["status"] == "True"


@pytest.mark.parametrize("case", [name for name, case in CASES.items() if case.reason == Reason.VERIFICATION_FAILED])
def test_refused_conversion_is_not_published(case: str, failed: Body, a: Tenant) -> None:
    assert any(character.isdigit() for character in failure_of(failed)["message"]), "measured error and limit are told"
    source = failed["status"]["source"]["digests"]["source"]
    manifests = [content for path, content in a.store.objects("artifacts").items() if path.endswith("manifest.json")]
    assert manifests
    assert not [manifest for manifest in manifests if source.encode() in manifest]
