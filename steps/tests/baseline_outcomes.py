"""Outcomes and entries of a baseline, as the tests of baselines need them."""

from rollout_conformance.steps.baseline import Baseline, Entry
from rollout_conformance.steps.baseline_check import Scope, lines, stale
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import Finding, Judgement, Location, Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.profiles import profile_of

MUST, OTHER, SHOULD = "ROLLOUT-094", "ROLLOUT-049", "ROLLOUT-103"
CATALOGUE = profile_of("rollout").catalogue


def case(name: str, about: str = MUST, dialect: str = "sync") -> Case:
    return Case(name, "rollout", dialect, (about,), (), Location("x.feature", 7))


def outcome(name: str, *broken: str, verdict: Verdict | None = None, about: str = MUST) -> Outcome:
    fails = any(CATALOGUE[one].level == "must" for one in broken)
    judged = {about: Verdict.PASS} | dict.fromkeys(broken, Verdict.FAIL)
    verdict = verdict or (Verdict.FAIL if fails else Verdict.PASS)
    if verdict in (Verdict.SKIP, Verdict.ERROR):
        judged = {}
    findings = tuple(Finding(one, "202", "500") for one in broken)
    return Outcome(case(name, about), Judgement(verdict, judged, findings, "why"), None, 0.1, "")


def entry(requirement: str = MUST, **members: object) -> Entry:
    return Entry.model_validate({"requirement": requirement, "reason": "old agent", **members})


def told(known: Baseline, outcomes: list[Outcome], every: list[Case] | None = None) -> list[str]:
    marked = [known.marked(one) for one in outcomes]
    cases = every if every is not None else [one.case for one in outcomes]
    return lines(stale(known, marked, Scope(lambda: cases)))
