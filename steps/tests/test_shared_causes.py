"""One cause in cases about several requirements is one finding, about the requirement of such ends; else each case keeps its own."""

from dataclasses import replace

import pytest

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import Cause, Finding, Judgement, Location, Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.shared_causes import SEVERAL, joined, shape

AT = Location("case", 1)
ENDS = "ROLLOUT-231"
ERROR = "the rollout ended in ERROR: 'no tool number {n}'"


def ended(about: str, reason: str, *more: Finding, accused: str | None = None) -> Outcome:
    """A case about `about` whose rollout ended so; `more` are findings that were seen before it."""
    wrong = Finding(accused or about, "COMPLETED", reason, (3,))
    verdicts = {about: Verdict.INCONCLUSIVE, **{one.requirement: Verdict.FAIL for one in (wrong, *more)}}
    judgement = Judgement(Verdict.FAIL, verdicts, (wrong, *more), reason, 1, Cause(reason, wrong, 3))
    return Outcome(Case(about, "rollout", "sync", (about,), (), AT), judgement, None, 0.1, "")


def passed(about: str) -> Outcome:
    judgement = Judgement(Verdict.PASS, {about: Verdict.PASS})
    return Outcome(Case(about, "rollout", "sync", (about,), (), AT), judgement, None, 0.1, "")


def several(count: int = SEVERAL) -> list[Outcome]:
    """Cases about so many requirements that ended alike but for a number."""
    return [ended(f"R-{n}", ERROR.format(n=n)) for n in range(count)]


def accused(outcome: Outcome) -> list[str]:
    return [finding.requirement for finding in outcome.judgement.findings]


def test_one_cause_of_cases_about_several_requirements_accuses_one() -> None:
    found = joined([*several(), passed("R-9")], ENDS)
    assert [accused(one) for one in found] == [[ENDS]] * SEVERAL + [[]]
    assert found[1].judgement.findings[0].observed == f"in {SEVERAL} cases: {ERROR.format(n=1)}"
    assert dict(found[1].judgement.requirements) == {"R-1": Verdict.INCONCLUSIVE, ENDS: Verdict.FAIL}
    assert found[1].judgement.verdict is Verdict.FAIL
    assert found[-1] == passed("R-9")


def test_a_cause_of_fewer_requirements_stays_where_it_was_seen() -> None:
    few = several(SEVERAL - 1)
    assert joined(few, ENDS) == few


def test_cases_are_counted_by_what_they_are_about() -> None:
    same = [ended("R-1", ERROR.format(n=n)) for n in range(SEVERAL + 2)]
    assert joined(same, ENDS) == same


def test_other_causes_are_counted_by_themselves() -> None:
    apart = [*several(SEVERAL - 1), ended("R-8", "the start was answered 500: oh"), ended("R-9", "the start: reset")]
    assert joined(apart, ENDS) == apart


def test_a_cause_that_names_a_requirement_for_this_accuses_that_one() -> None:
    named = [
        replace(one, judgement=replace(one.judgement, cause=replace(one.judgement.cause, common="ROLLOUT-119")))
        for one in several()
        if one.judgement.cause is not None
    ]
    assert [accused(one) for one in joined(named, ENDS)] == [["ROLLOUT-119"]] * SEVERAL
    assert [accused(one) for one in joined(named, None)] == [["ROLLOUT-119"]] * SEVERAL


def test_a_profile_without_such_a_requirement_keeps_each_outcome() -> None:
    assert joined(several(), None) == several()


def test_what_was_seen_before_the_end_stays() -> None:
    before = Finding("R-0", "an id", "none", (1,))
    found = joined([ended("R-0", ERROR.format(n=0), before), *several()[1:]], ENDS)
    assert accused(found[0]) == [ENDS, "R-0"]
    assert dict(found[0].judgement.requirements) == {"R-0": Verdict.FAIL, ENDS: Verdict.FAIL}


def test_a_cause_that_accuses_nothing_joins_nothing() -> None:
    full = [
        Outcome(one.case, Judgement(Verdict.INCONCLUSIVE, {}, (), "full", cause=Cause("full", None)), None, 0.1, "")
        for one in several()
    ]
    assert joined(full, ENDS) == full


def test_an_end_that_already_accuses_that_requirement_is_told_with_its_count() -> None:
    found = joined([ended(f"R-{n}", ERROR.format(n=n), accused=ENDS) for n in range(SEVERAL)], ENDS)
    assert [one.judgement.requirements[ENDS] for one in found] == [Verdict.FAIL] * SEVERAL
    assert all(one.judgement.findings[0].observed.startswith(f"in {SEVERAL} cases: ") for one in found)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("no rollout rc-00ff00ff-12x", "no rollout rc-1234abcd-7x", True),
        ("call_rc-0a-1x_0_1 failed", "call_abc failed", True),
        ("500: after 3 s", "502: after 44 s", True),
        ("ended in ERROR: 'a'", "ended in ERROR: 'b'", False),
    ],
)
def test_the_shape_of_a_reason_is_what_does_not_vary(one: str, other: str, same: bool) -> None:
    assert (shape(one) == shape(other)) is same
