"""The CRD from the types: a structural schema, rules for what one object can tell, columns and subresources.

`tools/generate.py` writes it to crds/ and into the chart. Rules are CEL: their messages are what a user reads when
`kubectl apply` refuses a manifest, so each says what to do.
"""

from typing import Any

import msgspec

from modelport.api.base import GROUP, KIND, NAME_PATTERN, PLURAL, VERSION
from modelport.api.spec import FIELDS, Spec
from modelport.api.status import Status
from modelport.frameworks import SOURCES
from modelport.runtimes import TARGETS

Schema = dict[str, Any]

MAX_BYTES = 24 * 1024
"""Largest compact JSON of the CRD: `kubectl apply` keeps a copy in an annotation, and GitOps tools copy it around."""

_URI = "^(s3|https?)://[^/@]+(/|$)"
_DROPPED = {"title", "default", "additionalProperties", "propertyNames", "examples"}
_LIMITS = {"maxLength", "maxItems", "maxProperties"}
_OPAQUE = ("status.source.signature", "status.refused.*", "status.verification", "status.failure", "status.failures.*")
"""Parts of the status whose fields the reference page alone has: nothing but the operator writes them."""
_UNTOLD = (
    FIELDS["requirements"],  # as those of the source, and so on
    FIELDS["calibration"],
    FIELDS["data"],
    "spec.source.inputs.*.values.columns.*",
    "spec.verification.outputs.*",
    "spec.serving.resources",
    "spec.serving.placement.tolerations.*",
    "spec.serving.autoscaling.triggers.*",
    "spec.serving.autoscaling.triggers.*.authenticationRef",
    *("status", "status.conditions.*", "status.source", "status.artifact", "status.serving"),
)
"""Places whose fields the reference page alone describes: they do not fit."""

# Rules by the place in the schema that they stand at: (path, rule, message).
_LOCATIONS = tuple(FIELDS.values())
_RUN = (FIELDS["code"], FIELDS["requirements"])
RULES: tuple[tuple[str, str, str], ...] = (
    (
        "",
        f"self.metadata.name.matches('{NAME_PATTERN}')",
        "metadata.name: use at most 52 lower-case letters, digits and '-', beginning with a letter: children are named after it",
    ),
    (
        "spec",
        "!has(self.serving) || !has(self.verification) || !has(self.verification.policy) || self.verification.policy == 'Enforce'",
        "spec.serving needs verification.policy: Enforce, because nothing is served that was not verified",
    ),
    *(
        (
            path,
            f"self.uri.matches('{_URI}')",
            f"{path}.uri: use s3://, https:// or http:// (`modelport push` uploads files); name credentials in secretRef",
        )
        for path in _LOCATIONS
    ),
    *(
        (
            path,
            "!self.uri.startsWith('http://') || has(self.digest)",
            f"{path}.digest: state it, because http:// does not protect what it brings",
        )
        for path in _LOCATIONS
        if path not in _RUN
    ),
    *(
        (path, "has(self.digest)", f"{path}.digest: state it, because the code is run; `modelport push` prints it")
        for path in _RUN
    ),
    (
        "spec.source.code",
        "!has(self.arguments) || has(self.factory)",
        "spec.source.code.factory: state it, because it takes the arguments",
    ),
    (
        "spec.source",
        "!has(self.code) || (has(self.trust) && self.trust == 'Trusted')",
        "spec.source.trust: set it to Trusted, because spec.source.code is run",
    ),
    (
        "spec.source",
        "!has(self.inputs) || self.inputs.all(i, self.inputs.exists_one(j, j.name == i.name))",
        "spec.source.inputs: name each input once",
    ),
    (
        "spec.source",
        "!has(self.states) || self.states.all(s, self.states.exists_one(t, t.input == s.input))",
        "spec.source.states: name each input once",
    ),
    (
        "spec.source",
        "!has(self.states) || !has(self.inputs) || self.states.all(s, self.inputs.exists(i, i.name == s.input))",
        "spec.source.states: take the names of states from spec.source.inputs",
    ),
    (
        "spec.source.dimensions.*",
        "!has(self.max) || !has(self.min) || self.min <= self.max",
        "spec.source.dimensions: make min at most max",
    ),
    (
        "spec.source.dimensions.*",
        "!has(self.max) || !has(self.multipleOf) || self.max / self.multipleOf * self.multipleOf >= (has(self.min) ? self.min : 1)",
        "spec.source.dimensions: leave room for a multiple of multipleOf between min and max",
    ),
    *(
        (
            f"spec.source.inputs.*.{path}",
            "!has(self.range) || !has(self.categories) && self.range[0] <= self.range[1]",
            f"spec.source.inputs[].{path.replace('.*', '[]')}: state a range, lowest value first, or categories",
        )
        for path in ("values", "values.columns.*")
    ),
    (
        "spec.serving",
        "!has(self.replicas) || !has(self.autoscaling)",
        "spec.serving: state replicas or autoscaling, not both",
    ),
    *(
        (
            "spec.serving",
            f"!self.?autoscaling.?{name}Utilization.hasValue() || self.?resources.?requests.?{name}.hasValue()",
            f"spec.serving.resources.requests.{name}: state it, because {name}Utilization is percent of it",
        )
        for name in ("cpu", "memory")
    ),
    (
        "spec.serving.autoscaling",
        "self.?minReplicas.orValue(1) <= self.maxReplicas",
        "spec.serving.autoscaling: make minReplicas at most maxReplicas",
    ),
    (
        "spec.serving.autoscaling",
        "self.?minReplicas.orValue(1) > 0 || has(self.triggers)",
        "spec.serving.autoscaling.triggers: state one, because minReplicas: 0 leaves no pod to measure",
    ),
    (
        "spec.serving.autoscaling",
        " || ".join(
            f"has(self.{name})"
            for name in ("cpuUtilization", "memoryUtilization", "requestsInFlight", "queueSize", "triggers")
        ),
        "spec.serving.autoscaling: state what to scale by, such as cpuUtilization or triggers",
    ),
    (
        "spec.serving.autoscaling.triggers.*",
        "!(self.type in ['cpu', 'memory'])",
        "spec.serving.autoscaling.triggers: use cpuUtilization and memoryUtilization",
    ),
)


# What no type says: (path, keyword, value). The API server fills defaults in: a later version of the code may take
# another format when none is said, and a stored resource must not change then. A tolerance without a measure would look
# like one that lets nothing, or everything, pass.
KEYWORDS: tuple[tuple[str, str, object], ...] = (
    ("spec.target", "default", {}),
    ("spec.target.format", "default", "onnx"),
    ("spec.verification.tolerance", "minProperties", 1),
    ("spec.verification.outputs.*", "minProperties", 1),
    ("spec.serving.autoscaling.triggers", "minItems", 1),
)


def resource_definition() -> Schema:
    """Return the CustomResourceDefinition."""
    schema = root_schema()
    for path in _UNTOLD:
        for each in _at(schema, path)["properties"].values():
            each.pop("description", None)
    for path in _LOCATIONS[1:]:
        for name in ("uri", "digest", "secretRef", "secretRef.name"):
            _at(schema, f"{path}.{name}").pop("description", None)
    for path in _OPAQUE:
        part = _at(schema, path)
        part.pop("required", None)
        del part["properties"]
        part["x-kubernetes-preserve-unknown-fields"] = True
    _leave_out_parts(schema)
    for path, keyword, value in KEYWORDS:
        _at(schema, path)[keyword] = value
    for path, rule, message in RULES:
        _at(schema, path).setdefault("x-kubernetes-validations", []).append({"rule": rule, "message": message})
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["mconv"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": {
                        "status": {},
                        "scale": {
                            "specReplicasPath": ".spec.serving.replicas",
                            "statusReplicasPath": ".status.serving.replicas",
                            "labelSelectorPath": ".status.serving.selector",
                        },
                    },
                    "additionalPrinterColumns": list(_columns()),
                }
            ],
        },
    }


def _leave_out_parts(schema: Schema) -> None:
    """Take the descriptions of what lists and maps hold: those of the lists and maps say it."""
    for inner in (schema.get("items"), schema.get("additionalProperties")):
        if isinstance(inner, dict):
            inner.pop("description", None)
            _leave_out_parts(inner)
    for each in schema.get("properties", {}).values():
        _leave_out_parts(each)


def root_schema() -> Schema:
    """Return the structural schema of the resource, without rules."""
    status: Schema = _without_limits(structural(Status))
    spec = structural(Spec)
    for path, names in (("source.format", SOURCES), ("target.format", TARGETS)):
        _at(spec, path)["enum"] = sorted(names)
    # kstatus: a resource that nobody has looked at yet is in progress, not current
    status["default"] = {"observedGeneration": -1}
    return {
        "type": "object",
        "description": "Converts a machine-learning model to another format, proves that it answers the same, and serves it.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": status,
        },
    }


def structural(kind: type[msgspec.Struct]) -> Schema:
    """Return the schema of a type as Kubernetes wants it: no references, no null, no closed objects."""
    (schema,), definitions = msgspec.json.schema_components([kind], ref_template="{name}")
    result: Schema = _structural(schema, definitions)
    return result


def _structural(node: Any, definitions: Schema) -> Any:
    if isinstance(node, list):
        return [_structural(each, definitions) for each in node]
    if not isinstance(node, dict):
        return node
    node = _resolved(_without_alternatives(_resolved(node, definitions)), definitions)
    values = node.get("additionalProperties")
    result = {key: _structural(value, definitions) for key, value in node.items() if key not in _DROPPED}
    if not result.get("required", True):
        del result["required"]  # of nothing
    if "enum" in node:
        result["type"] = "string"
    if "properties" in node:
        properties = node["properties"]
        result["properties"] = {name: _structural(value, definitions) for name, value in properties.items()}
    elif isinstance(values, dict) and values:
        result["additionalProperties"] = _structural(values, definitions)
    return result


def _without_limits(node: Any) -> Any:
    """Return a schema without the limits that rules need: the status has none, and the operator alone writes it."""
    if isinstance(node, list):
        return [_without_limits(each) for each in node]
    if not isinstance(node, dict):
        return node
    return {key: _without_limits(value) for key, value in node.items() if key not in _LIMITS}


def _resolved(node: Schema, definitions: Schema) -> Schema:
    """Return the node with its reference replaced; what stands beside a reference wins."""
    while "$ref" in node:
        beside = {key: value for key, value in node.items() if key != "$ref"}
        node = {**definitions[node["$ref"]], **beside}
    return node


def _without_alternatives(node: Schema) -> Schema:
    """Return the node without null; a number or text keeps the limits of both, but neither type, and is marked."""
    if "anyOf" not in node:
        return node
    beside = {key: value for key, value in node.items() if key != "anyOf"}
    others = [each for each in node["anyOf"] if each.get("type") != "null"]
    if len(others) == 1:
        return {**others[0], **beside}
    limits = {key: value for each in others for key, value in each.items() if key != "type"}
    return {"x-kubernetes-int-or-string": True, **limits, **beside}


def _at(schema: Schema, path: str) -> Schema:
    for part in filter(None, path.split(".")):
        schema = _inside(schema, part)
    return schema


def _inside(schema: Schema, part: str) -> Schema:
    found = schema.get("items", schema.get("additionalProperties")) if part == "*" else schema["properties"][part]
    assert isinstance(found, dict)
    return found


def _columns() -> tuple[Schema, ...]:
    def column(name: str, path: str, **more: object) -> Schema:
        return {"name": name, "type": "string", "jsonPath": path, **more}

    ready = ".status.conditions[?(@.type=='Ready')]"
    return (
        column("Source", ".status.source.format"),
        column("Target", ".spec.target.format"),
        column("Ready", f"{ready}.status"),
        column("Reason", f"{ready}.reason"),
        column("Error", ".status.verification.maxAbsoluteError"),
        column("URL", ".status.serving.url"),
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
        column("Message", f"{ready}.message", priority=1),
        column("Artifact", ".status.artifact.digest", priority=1),
    )
