"""What should exist: a pure function of the resource, what was observed, and the platform."""

from modelport_operator.plan.demand import Demand
from modelport_operator.plan.making import CONFLICT_LOOK_AGAIN, Apply, Child, Create, Plan, make_plan
from modelport_operator.plan.rollout import answers

__all__ = ["CONFLICT_LOOK_AGAIN", "Apply", "Child", "Create", "Demand", "Plan", "answers", "make_plan"]
