"""The example repositories: what they name exists, and nothing in them is a secret."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from gitops.checkers import EXAMPLES, Body
from modelport.api.base import KIND
from modelport_cli.manifest import load_resource
from modelport_cli.rules import check_rules
from modelport_operator.plan import Plan
from unit.operator.scenes import ISOLATING, converted, imported, plan_for, resource

TOOLS = ("argocd", "flux")
CONVERSIONS = [path for tool in TOOLS for path in sorted((EXAMPLES / tool / "models").glob("minilm.yaml"))]
TRACKED_BY_ARGO_CD = "app.kubernetes.io/instance"


def bodies(folder: Path) -> Iterator[Body]:
    for path in sorted(folder.rglob("*.yaml")):
        yield from yaml.safe_load_all(path.read_text())


def of_kind(folder: Path, kind: str) -> dict[str, Body]:
    return {
        each["metadata"]["name"]: each["spec"]
        for each in bodies(folder)
        if each.get("kind") == kind and "metadata" in each
    }


@pytest.mark.parametrize("path", CONVERSIONS, ids=lambda path: path.parts[-3])
def test_conversions_keep_the_rules(path: Path) -> None:
    check_rules(load_resource(path), path.name)


def test_both_tools_serve_the_same_model() -> None:
    specs = [load_resource(path).spec for path in CONVERSIONS]
    assert len(specs) == len(TOOLS)
    assert specs[0] == specs[1]


def test_argo_cd_finds_what_its_applications_name() -> None:
    root = yaml.safe_load((EXAMPLES / "argocd/root.yaml").read_text())["spec"]
    made = of_kind(EXAMPLES / "argocd" / root["source"]["path"], "Application")
    assert made.keys() == {"modelport", "models"}
    assert list(bodies(EXAMPLES / "argocd" / made["models"]["source"]["path"]))
    assert (EXAMPLES.parent / made["modelport"]["source"]["path"] / "Chart.yaml").exists()
    assert made["models"]["syncPolicy"]["retry"]["limit"] < 0, "until the CRD is there, however long that takes"


def test_argo_cd_makes_what_others_need_first() -> None:
    waves = {
        each["kind"]: int(each["metadata"].get("annotations", {}).get("argocd.argoproj.io/sync-wave", 0))
        for each in bodies(EXAMPLES / "argocd/models")
    }
    assert waves["Namespace"] < waves["ExternalSecret"] < waves[KIND]


def test_flux_finds_what_its_kustomizations_name() -> None:
    sources = of_kind(EXAMPLES / "flux", "GitRepository")
    found = {
        each["metadata"]["name"]: each["spec"]
        for each in bodies(EXAMPLES / "flux")
        if each["apiVersion"].startswith("kustomize.toolkit")
    }
    for spec in found.values():
        folder = EXAMPLES / "flux" / spec["path"]
        listed = set(yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"])
        assert listed == {path.name for path in folder.glob("*.yaml")} - {"kustomization.yaml"}
        assert spec["sourceRef"]["name"] in sources
        assert {each["name"] for each in spec.get("dependsOn", [])} <= found.keys()
    release = of_kind(EXAMPLES / "flux/operator", "HelmRelease")["modelport"]["chart"]["spec"]
    assert release["sourceRef"]["name"] in sources
    assert (EXAMPLES.parent / release["chart"] / "Chart.yaml").exists()
    (check,) = found["models"]["healthChecks"]
    model = next(each for each in bodies(EXAMPLES / "flux/models") if each["kind"] == KIND)
    assert (check["apiVersion"], check["kind"]) == (model["apiVersion"], model["kind"])
    assert (check["name"], check["namespace"]) == (model["metadata"]["name"], model["metadata"]["namespace"])


def test_the_secret_that_is_shown_is_made_up_and_nothing_of_it_is_plain() -> None:
    path = EXAMPLES / "flux/models/store.sops.yaml"
    assert path.read_text().startswith("# MADE UP")
    secret = yaml.safe_load(path.read_text())
    assert all(value.startswith("ENC[AES256_GCM,data:bWFkZSB1cA==,") for value in secret["data"].values())
    others = [
        each for each in (*bodies(EXAMPLES / "argocd"), *bodies(EXAMPLES / "flux")) if each.get("kind") == "Secret"
    ]
    assert others == [secret]


def _children() -> Iterator[Body]:
    """Yield a child of each kind, as it is created."""
    plans: list[Plan] = [plan_for(resource(), platform=ISOLATING)]
    case, first = imported(resource())
    plans.append(plan_for(case, first, platform=ISOLATING))
    case, jobs = converted(resource())
    plans.append(plan_for(case, *jobs, platform=ISOLATING))
    for plan in plans:
        yield from (create.body for create in plan.create)


def test_children_are_found_by_their_owner_and_taken_for_no_part_of_an_application() -> None:
    found = list(_children())
    assert {each["kind"] for each in found} == {"Job", "Deployment", "Service", "NetworkPolicy"}
    for child in found:
        (owner,) = child["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["name"], owner["controller"]) == (KIND, "net", True)
        templates = [child["spec"]["template"]] if "template" in child["spec"] else []
        for meta in (child["metadata"], *(each["metadata"] for each in templates)):
            assert TRACKED_BY_ARGO_CD not in meta["labels"]
            assert not any(
                "argocd" in name or "fluxcd" in name for name in (*meta["labels"], *meta.get("annotations", {}))
            )
