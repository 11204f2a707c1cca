"""What to tell: a pure function of the plan and what came of it."""

from modelport_operator.report.events import Event
from modelport_operator.report.making import Report, make_report
from modelport_operator.report.situation import Situation
from modelport_operator.report.unplanned import report_fault, report_unreadable

__all__ = ["Event", "Report", "Situation", "make_report", "report_fault", "report_unreadable"]
