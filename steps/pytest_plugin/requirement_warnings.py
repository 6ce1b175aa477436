"""What a case breaks without failing by it (a SHOULD, where a MUST fails the session) as a warning of pytest, in its warnings summary."""

import warnings

import pytest

from rollout_conformance.steps.engine.failure_report import Group, collapse, note_on_level, title
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.printable import printable
from rollout_conformance.steps.profiles import profile_of


class RequirementWarning(pytest.PytestWarning):
    """A requirement is broken, and its level does not fail the session."""


def warn(item: pytest.Item, outcome: Outcome) -> None:
    """Warn of everything that is broken and not known. To be called where the item does not fail."""
    for group in collapse([outcome], profile_of(outcome.case.profile).catalogue):
        warning = RequirementWarning(text(group))
        try:
            item.warn(warning)
        except RequirementWarning:
            # `filterwarnings = error` is about warnings of Python code. What fails a session here is --level, as in `run`.
            _record(item, warning)


def text(group: Group) -> str:
    finding, level = group.finding, group.level
    note = note_on_level(group)
    lines = [
        title(group),
        f"  expected {finding.expected}",
        f"  observed {finding.observed}",
        *([f"  note     {note}"] if note else []),
        f"  case     {finding.at or group.outcome.case.at}",
        f"  It fails with --level {level}.",
    ]
    return printable("\n".join(lines))


def _record(item: pytest.Item, warning: RequirementWarning) -> None:
    """Show a warning in the summary though the filters of the session would raise it."""
    path, line, _ = item.reportinfo()
    seen = warnings.WarningMessage(warning, RequirementWarning, str(path), (line or 0) + 1)
    item.ihook.pytest_warning_recorded.call_historic(
        kwargs={"warning_message": seen, "nodeid": item.nodeid, "when": "runtest", "location": None}
    )
