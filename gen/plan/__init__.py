"""From a description and a board to a configuration: what is built, how large and how fast."""

from gen.plan.building import MARGINS
from gen.plan.planner import Plan, plan, plan_cores

__all__ = ["MARGINS", "Plan", "plan", "plan_cores"]
