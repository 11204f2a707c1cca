"""What the CRD says in CEL rules, for manifests that no API server sees: one function per rule, in one tuple."""

import math
import re
from collections.abc import Callable

import msgspec

from modelport.api.base import NAME_PATTERN
from modelport.api.resource import ModelConversion
from modelport.api.spec import FIELDS, Location, Tolerance
from modelport.frameworks import SOURCES
from modelport.jobs.keys import locations
from modelport.runtimes import TARGETS
from modelport_cli.errors import UsageError

Rule = Callable[[ModelConversion], str | None]


def _name_fits(resource: ModelConversion) -> str | None:
    if re.match(NAME_PATTERN, resource.metadata.name):
        return None
    return (
        "metadata.name: expected at most 52 lower-case letters, digits and '-', beginning with a letter and not ending "
        f"in '-', found {resource.metadata.name!r}"
    )


def _locations(resource: ModelConversion) -> list[tuple[str, Location]]:
    return [(FIELDS[role], location) for role, location in locations(resource).items()]


def _plain_http_has_digest(resource: ModelConversion) -> str | None:
    for path, location in _locations(resource):
        if location.uri.startswith("http://") and location.digest is None:
            return f"{path}.digest: expected, because http:// does not protect what {path}.uri names"
    return None


def _scheme_is_known(resource: ModelConversion) -> str | None:
    for path, location in _locations(resource):
        scheme = location.uri.partition(":")[0]
        if scheme not in {"s3", "https", "http", "file"}:
            return f"{path}.uri: expected s3://, https:// or http:// (or file: for `modelport run`), found {scheme}:"
    return None


def _uri_has_no_credentials(resource: ModelConversion) -> str | None:
    for path, location in _locations(resource):
        if re.match("[a-z0-9]+://[^/]*@", location.uri):
            return f"{path}.uri: expected no user or password in it; put them into a Secret and name it in secretRef"
    return None


def _code_is_trusted(resource: ModelConversion) -> str | None:
    source = resource.spec.source
    if source.code is None or source.trust == "Trusted":
        return None
    return "spec.source.trust: expected Trusted, because spec.source.code is run"


def _code_has_digest(resource: ModelConversion) -> str | None:
    located = locations(resource)
    for role in ("code", "requirements"):
        location = located.get(role)
        # a file beside the manifest is the user's own; `run` reports its digest
        if location and location.digest is None and not location.uri.startswith("file:"):
            return f"{FIELDS[role]}.digest: expected, because the code is run; `modelport push` prints it"
    return None


def _arguments_have_a_factory(resource: ModelConversion) -> str | None:
    code = resource.spec.source.code
    if code is None or code.factory is not None or not code.arguments:
        return None
    return "spec.source.code.factory: expected, because it takes the arguments"


def _serving_is_enforced(resource: ModelConversion) -> str | None:
    if resource.spec.serving is None or resource.spec.verification.policy == "Enforce":
        return None
    return "spec.verification.policy: expected Enforce, because nothing is served that was not verified"


def _pods_are_counted_once(resource: ModelConversion) -> str | None:
    serving = resource.spec.serving
    if serving is None or serving.replicas is None or serving.autoscaling is None:
        return None
    return "spec.serving: expected replicas or autoscaling, found both"


def _autoscaling_has_a_range(resource: ModelConversion) -> str | None:
    scaling = resource.spec.serving.autoscaling if resource.spec.serving else None
    if scaling is None or scaling.min_replicas <= scaling.max_replicas:
        return None
    found = f"{scaling.min_replicas} and {scaling.max_replicas}"
    return f"spec.serving.autoscaling: expected minReplicas <= maxReplicas, found {found}"


def _autoscaling_has_targets(resource: ModelConversion) -> str | None:
    scaling = resource.spec.serving.autoscaling if resource.spec.serving else None
    if scaling is None or scaling.triggers:
        return None
    if scaling.min_replicas == 0:
        return "spec.serving.autoscaling.triggers: expected one, because minReplicas: 0 leaves no pod to measure"
    targets = (
        scaling.cpu_utilization,
        scaling.memory_utilization,
        scaling.requests_in_flight,
        scaling.queue_size,
    )
    if any(each is not None for each in targets):
        return None
    return "spec.serving.autoscaling: expected something to scale by, such as cpuUtilization or triggers"


def _utilization_is_of_a_request(resource: ModelConversion) -> str | None:
    serving = resource.spec.serving
    if serving is None or serving.autoscaling is None:
        return None
    requests = serving.resources.requests if serving.resources else {}
    targets = {"cpu": serving.autoscaling.cpu_utilization, "memory": serving.autoscaling.memory_utilization}
    for name, target in targets.items():
        if target is not None and name not in requests:
            return f"spec.serving.resources.requests.{name}: expected, because {name}Utilization is percent of it"
    return None


def _triggers_measure_no_pods(resource: ModelConversion) -> str | None:
    scaling = resource.spec.serving.autoscaling if resource.spec.serving else None
    for number, trigger in enumerate(scaling.triggers if scaling else []):
        if trigger.type in {"cpu", "memory"}:
            path = f"spec.serving.autoscaling.triggers[{number}]"
            return f"{path}: expected {trigger.type}Utilization in place of a trigger of type {trigger.type}"
    return None


def _inputs_are_named_once(resource: ModelConversion) -> str | None:
    names = [given.name for given in resource.spec.source.inputs]
    for number, name in enumerate(names):
        if name in names[:number]:
            return f"spec.source.inputs[{number}].name: expected each name once, found {name!r} twice"
    return None


def _states_are_inputs(resource: ModelConversion) -> str | None:
    source = resource.spec.source
    inputs, taken = [given.name for given in source.inputs], [state.input for state in source.states]
    for number, state in enumerate(source.states):
        path = f"spec.source.states[{number}].input"
        if state.input in taken[:number]:
            return f"{path}: expected each input once, found {state.input!r} twice"
        if inputs and state.input not in inputs:
            return f"{path}: expected a name of spec.source.inputs, found {state.input!r}"
    return None


def _tolerances_say_something(resource: ModelConversion) -> str | None:
    verification = resource.spec.verification
    named = {f"outputs.{name}": tolerance for name, tolerance in verification.outputs.items()}
    for path, tolerance in {"tolerance": verification.tolerance, **named}.items():
        if tolerance == Tolerance():
            return f"spec.verification.{path}: expected at least one of {', '.join(Tolerance.__struct_fields__)}"
    return None


def _ranges_are_ordered(resource: ModelConversion) -> str | None:
    for name, limits in resource.spec.source.dimensions.items():
        if limits.max is not None and limits.min > limits.max:
            return f"spec.source.dimensions.{name}: expected min <= max, found {limits.min} and {limits.max}"
        if limits.max is not None and limits.max // limits.multiple_of * limits.multiple_of < limits.min:
            return f"spec.source.dimensions.{name}: expected a multiple of {limits.multiple_of} between min and max"
    return None


def _values_are_ranges_or_categories(resource: ModelConversion) -> str | None:
    for number, given in enumerate(resource.spec.source.inputs):
        path = f"spec.source.inputs[{number}].values"
        columns = given.values.columns if given.values else []
        stated = [(path, given.values), *((f"{path}.columns[{at}]", each) for at, each in enumerate(columns))]
        for where, numbers in stated:
            if numbers and numbers.range and numbers.range[0] > numbers.range[1]:
                return f"{where}.range: expected lowest first, found {numbers.range}"
            if numbers and numbers.range and numbers.categories:
                return f"{where}: expected range or categories, found both"
    return None


def _numbers_are_finite(resource: ModelConversion) -> str | None:
    path = _non_finite(msgspec.to_builtins(resource.spec), "spec")
    return path and f"{path}: expected a number that JSON has, found NaN or infinity"


def _non_finite(node: object, path: str) -> str | None:
    """Return the path of a number that is NaN or infinite."""
    if isinstance(node, float):
        return None if math.isfinite(node) else path
    inner = {
        **({f"{path}.{name}": each for name, each in node.items()} if isinstance(node, dict) else {}),
        **({f"{path}[{at}]": each for at, each in enumerate(node)} if isinstance(node, list) else {}),
    }
    return next((found for name, each in inner.items() if (found := _non_finite(each, name))), None)


def _formats_are_known(resource: ModelConversion) -> str | None:
    spec = resource.spec
    for path, name, known in (
        ("spec.source.format", spec.source.format, SOURCES),
        ("spec.target.format", spec.target.format, TARGETS),
    ):
        if name is not None and name not in known:
            return f"{path}: expected one of {', '.join(sorted(known))}, found {name!r:.80}"
    return None


RULES: tuple[Rule, ...] = (
    _name_fits,
    _formats_are_known,
    _scheme_is_known,
    _uri_has_no_credentials,
    _plain_http_has_digest,
    _code_is_trusted,
    _code_has_digest,
    _arguments_have_a_factory,
    _serving_is_enforced,
    _pods_are_counted_once,
    _autoscaling_has_a_range,
    _autoscaling_has_targets,
    _utilization_is_of_a_request,
    _triggers_measure_no_pods,
    _inputs_are_named_once,
    _states_are_inputs,
    _tolerances_say_something,
    _ranges_are_ordered,
    _numbers_are_finite,
    _values_are_ranges_or_categories,
)


def check_rules(resource: ModelConversion, origin: str) -> None:
    """Raise UsageError for the first rule that the resource breaks."""
    for rule in RULES:
        problem = rule(resource)
        if problem is not None:
            raise UsageError(f"{origin}: {problem}", "The API server refuses it for the same reason.")
