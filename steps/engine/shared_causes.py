"""One cause in many cases is one finding: what a run knows only at its end.

A case whose rollout ended by itself accuses its own requirement, because that may be what the case is about. When the same end shows in
cases about several requirements it has nothing to do with any of them, and is told once, with its count.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from rollout_conformance.steps.engine.findings import Finding, Verdict
from rollout_conformance.steps.engine.outcome import Outcome

SEVERAL = 3  # requirements
# What differs between two ends of one cause: ids, numbers, quoted text.
VARYING = re.compile(r"rc-[0-9a-f]{1,16}-\d{1,9}x?|call_[\w-]{1,80}|\d{1,30}")


def shape(reason: str) -> str:
    """A reason without what differs from case to case."""
    return VARYING.sub("#", reason)


def joined(outcomes: Sequence[Outcome], accused: str | None) -> list[Outcome]:
    """The outcomes, in which a cause of cases about several requirements accuses one alone: the one that the cause names for this, else
    `accused`. Without any, each outcome stays as it is."""
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        cause = outcome.judgement.cause
        if cause is not None and cause.finding is not None and not cause.certain and (cause.common or accused):
            groups[shape(cause.reason)].append(outcome)
    common = {
        name: len(group)
        for name, group in groups.items()
        if len({o.case.requirements[0] for o in group}) >= SEVERAL and not _agreed(group, accused)
    }
    return [_joined(outcome, accused, common) for outcome in outcomes] if common else list(outcomes)


def _agreed(group: Sequence[Outcome], accused: str | None) -> bool:
    """Whether an end breaks one requirement whatever the cases are about: then that is the one."""
    causes = (outcome.judgement.cause for outcome in group)
    broken = {cause.finding.requirement for cause in causes if cause is not None and cause.finding is not None}
    return len(broken) == 1 and broken != {accused}


def _joined(outcome: Outcome, accused: str | None, common: dict[str, int]) -> Outcome:
    judgement = outcome.judgement
    cause = judgement.cause
    if cause is None or cause.finding is None or cause.certain or (count := common.get(shape(cause.reason))) is None:
        return outcome
    right = cause.common or accused
    assert right is not None
    wrong, observed = cause.finding.requirement, f"in {count} cases: {cause.finding.observed}"
    findings = tuple(
        replace(one, requirement=right, observed=observed) if _is(one, cause.finding) else one
        for one in judgement.findings
    )
    requirements = {**judgement.requirements, right: Verdict.FAIL}
    if wrong != right and not any(one.requirement == wrong for one in findings):
        requirements[wrong] = Verdict.INCONCLUSIVE
    return replace(outcome, judgement=replace(judgement, findings=findings, requirements=requirements))


def _is(one: Finding, caused: Finding) -> bool:
    return (one.requirement, one.expected, one.observed) == (caused.requirement, caused.expected, caused.observed)
