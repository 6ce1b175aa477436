"""A case that calls a tool which its target does not have, and expects the result of one: that is the mistake of its author, or a case for
another target.

Pure.
"""

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import Cause
from rollout_conformance.steps.engine.suggestions import unknown_name
from rollout_conformance.steps.peers.script import Call, Reply
from rollout_conformance.steps.profiles.rollout.actions.prepare import ScriptTrainer
from rollout_conformance.steps.profiles.rollout.expectations.tool_results import ToolResults
from rollout_conformance.steps.profiles.rollout.view import CaseView


def unlisted_tool(case: Case, view: CaseView) -> Cause | None:
    """Where more results are expected than there are calls of tools that the target or its card names. Of a target that shows no tools,
    nothing is known."""
    known = {*view.tools, *(tool.name for tool in view.card.tools or ())}
    scripts = [step.what.script for step in case.actions if isinstance(step.what, ScriptTrainer)]
    calls = [call for script in scripts for line in script.lines if isinstance(line, Reply) for call in line.calls]
    unknown = next((call.name for call in calls if isinstance(call, Call) and call.name not in known), None)
    answered = [call for call in calls if not isinstance(call, Call) or call.name in known]
    results = sum(step.what.results for step in case.expectations if isinstance(step.what, ToolResults))
    if not known or unknown is None or results <= len(answered):
        return None
    told = unknown_name("tool", unknown, sorted(known)).rstrip(".")
    return Cause(f"the case expects the result of a tool that neither the target nor its card names: {told}")
