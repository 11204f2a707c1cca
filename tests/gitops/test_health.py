"""What kstatus (Flux, Helm, kubectl's relatives) and Argo CD make of every state, by their own code: none is wrong.

kstatus is that of sigs.k8s.io/cli-utils, and Argo CD's script runs in the Lua that Argo CD runs it in; both are in the
program cluster/go/health.
"""

import json
from pathlib import Path

import pytest

from gitops import states
from gitops.checkers import CURRENT, FAILED, Checkers, make_checkers
from gitops.states import STATES, State, body_of, status_of
from modelport.api.reasons import Reason
from modelport_operator.report.checks import QUEUED, TABLE
from modelport_operator.report.conditions import FACTS

REASONS = dict(states.failures())
OBJECT = '{"kind": "A", "apiVersion": "v1"}'


@pytest.fixture(scope="session")
def checkers(tmp_path_factory: pytest.TempPathFactory) -> Checkers:
    return make_checkers(tmp_path_factory.mktemp("argocd"))


def name_of(state: State) -> str:
    return state.make.__name__


@pytest.mark.parametrize("state", STATES, ids=name_of)
def test_a_state_is_seen_as_it_is(state: State, checkers: Checkers) -> None:
    assert checkers.look([body_of(state.make())]) == [state.seen]


@pytest.mark.parametrize("reason", REASONS, ids=str)
def test_what_is_tried_again_is_under_way_and_what_is_not_has_failed(reason: Reason, checkers: Checkers) -> None:
    state = REASONS[reason]
    assert checkers.look([body_of(state.make())]) == [state.seen]


def test_every_row_of_the_conditions_table_has_a_state() -> None:
    seen = set()
    for state in STATES:
        told = {each.type: each for each in status_of(state.make()).conditions}
        if told:
            beside = next((name for name in ("Reconciling", "Stalled") if name in told), "")
            seen.add((told["Ready"].status == "True", told["Ready"].reason, beside))
    for row in TABLE:
        if row.reasons:
            lacking = {reason for reason in row.reasons if (row.ready, reason, row.abnormal) not in seen}
            assert not lacking, row.when
        else:
            assert any((ready, beside) == (row.ready, row.abnormal) for ready, _, beside in seen), row.when


def test_every_fact_has_a_state_for_whatever_it_can_be() -> None:
    seen = {(each.type, each.status) for state in STATES for each in status_of(state.make()).conditions}
    beyond = {("Autoscaled", "Unknown")}
    wanted = {(name, status) for name, _, _ in FACTS for status in ("True", "False")} | beyond
    assert wanted - seen == {(QUEUED, "False")}, "Queued is there while it is True alone"


def test_objects_are_told_in_the_order_in_which_they_come(checkers: Checkers) -> None:
    bodies = [body_of(make()) for make in (states.serving, states.wrong_digest, states.serving)]
    assert checkers.look(bodies) == [CURRENT, FAILED, CURRENT]


@pytest.mark.parametrize(
    ("options", "text", "says"),
    [
        ([], "{", "object 1: expected JSON"),
        ([], '{"metadata": {}}', "object 1: Object 'Kind' is missing"),
        (["-lua", "/nowhere.lua"], "", "no such file"),
        (["-lua", "{script}"], OBJECT, 'found "Fine"'),
    ],
)
def test_what_cannot_be_judged_is_an_error(
    options: list[str], text: str, says: str, checkers: Checkers, tmp_path: Path
) -> None:
    file = tmp_path / "health.lua"
    file.write_text('return { status = "Fine" }')
    done = checkers.run(*(each.format(script=file) for each in options), text=text)
    assert (done.returncode, done.stdout) == (1, "")
    assert says in done.stderr


def test_a_script_has_no_more_than_argo_cd_gives_it(checkers: Checkers, tmp_path: Path) -> None:
    file = tmp_path / "health.lua"
    file.write_text('return { status = io == nil and string == nil and "Healthy" or "Degraded", message = "m" }')
    done = checkers.run("-lua", str(file), text=OBJECT)
    assert json.loads(done.stdout)["argo"]["status"] == "Healthy"
