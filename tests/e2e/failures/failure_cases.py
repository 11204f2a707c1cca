"""The table of failures: what is given, and which reason must come of it."""

from collections.abc import Callable
from typing import Any, NamedTuple

from e2e.sources import models
from e2e.tenants.conversions import Body
from e2e.tenants.stores import NamespaceStore, Uploaded
from e2e.tenants.tenant import ONE, Tenant
from modelport.api.reasons import Reason

WRONG_DIGEST = "sha256:" + "ab" * 32
WRONG_SECRET = "e2e-wrong-credentials"
ONNX, TORCH = models.onnx_mlp(50), models.torch_mlp(51)


class Given(NamedTuple):
    """What cases are made from."""

    store: NamespaceStore
    factories: Uploaded

    def onnx(self, content: bytes = ONNX.content, **fields: Any) -> Body:
        """Return an ONNX source."""
        return self.store.upload("model.onnx", content).location(**fields)

    def torch(self, factory: str, content: bytes = TORCH.content, /, **arguments: Any) -> Body:
        """Return a PyTorch source with one of our factories."""
        return self.with_code(self.factories.location(factory=factory, arguments=arguments), content)

    def with_code(self, code: Body, content: bytes = TORCH.content) -> Body:
        """Return a PyTorch source with any code."""
        weights = self.store.upload("weights.pt", content)
        return weights.location(trust="Trusted", inputs=models.FEATURES, code=code)

    def archive(self, name: str, content: bytes) -> Body:
        """Return a PyTorch source whose code is this archive."""
        return self.with_code(self.store.upload(name, content).location(factory="mlp:build"))


def apply_slow(name: str, tenant: Tenant, seed: int) -> models.Model:
    """Apply a model that takes some seconds to convert and to verify; `seed` makes it one that no other test has."""
    model = models.torch_mlp(seed)
    source = Given(tenant.store, tenant.factories).torch("slow:build", model.content)
    tenant.apply(name, source, serving=ONE)
    return model


class Case(NamedTuple):
    """One failure: a source (and more of the spec), the reason that must come of it, and words that must be told."""

    reason: Reason
    source: Callable[[Given], Body]
    stage: str | None = None
    says: str = ""
    log: str = ""
    spec: Body = {}  # noqa: RUF012 - read only


def _without(source: Body, *fields: str) -> Body:
    return {key: value for key, value in source.items() if key not in fields}


def _wrong(kind: str) -> Callable[[Given], Body]:
    return lambda given: given.torch("wrong:build", kind=kind)


SOURCE_CASES: dict[str, Case] = {
    "wrong digest": Case(
        Reason.DIGEST_MISMATCH, lambda given: given.onnx(digest=WRONG_DIGEST), "Import", says=WRONG_DIGEST[:16]
    ),
    "missing file": Case(
        Reason.SOURCE_NOT_FOUND,
        lambda given: given.onnx() | {"uri": given.store.missing_uri()},
        "Import",
        says="uploads/nothing/here.onnx",
    ),
    "unreachable host": Case(
        Reason.SOURCE_UNREACHABLE, lambda _: {"uri": "https://nowhere.invalid/model.onnx"}, "Import", says="nowhere"
    ),
    "wrong credentials": Case(
        Reason.SOURCE_ACCESS_DENIED, lambda given: given.onnx(secretRef={"name": WRONG_SECRET}), "Import"
    ),
    "truncated weights": Case(
        Reason.SOURCE_CORRUPT,
        lambda given: given.with_code(given.factories.location(factory="mlp:build"), TORCH.content[:600]),
    ),
    "truncated onnx": Case(Reason.SOURCE_CORRUPT, lambda given: given.onnx(ONNX.content[:200])),
    "no known format": Case(Reason.UNKNOWN_FORMAT, lambda given: given.onnx(b"a text, and no model\n"), "Import"),
    "hostile pickle": Case(
        Reason.UNSAFE_SOURCE,
        lambda given: given.with_code(given.factories.location(factory="mlp:build"), models.hostile_state_dict()),
        says="system",
    ),
    "link in a zip": Case(
        Reason.UNSAFE_SOURCE,
        lambda given: given.archive("link.zip", models.zip_with_link("/run/modelport/credentials/store/uri")),
        "Import",
        says="mlp.py",
    ),
    "link in a tar": Case(
        Reason.UNSAFE_SOURCE,
        lambda given: given.archive("link.tar.gz", models.tar_with_link("/proc/self/environ")),
        "Import",
        says="mlp.py",
    ),
    "hard link in a tar": Case(
        Reason.UNSAFE_SOURCE,
        lambda given: given.archive("hard.tar.gz", models.tar_with_link("/proc/self/environ", hard=True)),
        "Import",
    ),
    "name that leads out": Case(
        Reason.UNSAFE_SOURCE, lambda given: given.archive("out.zip", models.zip_with_name("../../mlp.py")), "Import"
    ),
    "missing inputs": Case(
        Reason.INPUTS_NEEDED, lambda given: _without(given.torch("mlp:build"), "inputs"), says="inputs"
    ),
    "missing code": Case(
        Reason.INVALID_SPEC, lambda given: _without(given.torch("mlp:build"), "code"), says="spec.source.code"
    ),
    "unknown option": Case(
        Reason.INVALID_SPEC,
        Given.onnx,
        says="did you mean opset?",
        spec={"target": {"format": "onnx", "options": {"opsett": 17}}},
    ),
    "opset out of range": Case(
        Reason.INVALID_SPEC, Given.onnx, says="9 to 23", spec={"target": {"format": "onnx", "options": {"opset": 99}}}
    ),
}
"""Failures that show before anything is converted."""

CONVERSION_CASES: dict[str, Case] = {
    "weights of another size": Case(
        Reason.WEIGHTS_MISMATCH, lambda given: given.torch("mlp:build", hidden=16), "Convert", says="first.weight"
    ),
    "weights that lack a layer": Case(
        Reason.WEIGHTS_MISMATCH, lambda given: given.torch("mlp:deeper"), "Convert", says="third"
    ),
    "factory that raises": Case(
        Reason.FACTORY_FAILED,
        lambda given: given.torch("wrong:raises"),
        "Convert",
        says="the table of classes is missing",
        log="LookupError",
    ),
    "factory that is not there": Case(
        Reason.FACTORY_FAILED, lambda given: given.torch("mlp:biuld"), "Convert", says="biuld"
    ),
    "factory that returns no model": Case(
        Reason.FACTORY_FAILED, lambda given: given.torch("wrong:no_model"), "Convert"
    ),
    "factory that opens a socket": Case(
        Reason.FACTORY_FAILED,
        lambda given: given.torch("hostile:opens_socket"),
        "Convert",
        says="PermissionError",
        log="PermissionError",
    ),
    "dropout in training": Case(Reason.NON_DETERMINISTIC, _wrong("TrainingDropout"), "Convert"),
    "noise": Case(Reason.NON_DETERMINISTIC, _wrong("Noise"), "Convert"),
    "out of memory": Case(
        Reason.OUT_OF_MEMORY,
        lambda given: given.torch("wrong:devours"),
        "Convert",
        spec={"conversion": {"resources": {"limits": {"memory": "512Mi"}}}},
    ),
    "deadline": Case(
        Reason.DEADLINE_EXCEEDED,
        lambda given: given.torch("wrong:sleeps"),
        "Convert",
        spec={"conversion": {"timeoutSeconds": 45}},
    ),
    "storage": Case(
        Reason.STORAGE_EXCEEDED,
        lambda given: given.torch("wrong:fills"),
        "Convert",
        spec={"conversion": {"storage": {"size": "32Mi"}}},
    ),
}
"""Failures of the step that converts."""

VERIFICATION_CASES: dict[str, Case] = {
    kind: Case(Reason.VERIFICATION_FAILED, _wrong(kind), "Verify", says="step judge")
    for kind in (
        "Scaled",
        "HalfPrecision",
        "SwappedOutputs",
        "BakedBatch",
    )
} | {"Constant": Case(Reason.VERIFICATION_INCONCLUSIVE, _wrong("Constant"), "Verify", says="step judge")}
"""Conversions that are wrong on purpose, by either exporter: the gate refuses them."""

CASES = SOURCE_CASES | CONVERSION_CASES | VERIFICATION_CASES

SURVIVORS = (
    "wrong digest",
    "missing file",
    "link in a zip",
    "factory that raises",
    "out of memory",
    "deadline",
    "Scaled",
)
"""Cases that come over a resource that already serves; the others are new and convert only."""
