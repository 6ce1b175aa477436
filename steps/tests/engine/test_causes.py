"""The order in which what is broken is shown: the likely first cause on top, what follows from it after it."""

from dataclasses import replace

from rollout_conformance.contracts.requirements import Requirement
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.causes import Cause, causes
from rollout_conformance.steps.engine.findings import Finding, Judgement, Location, Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.trace import Request, Trace
from rollout_conformance.steps.profiles import profile_of

CATALOGUE: dict[str, Requirement] = dict(profile_of("rollout").catalogue)
MUSTS = sorted(name for name, one in CATALOGUE.items() if one.level == "must")
A, B, C = MUSTS[:3]
SHOULD = next(name for name, one in CATALOGUE.items() if one.level == "should")


def outcome(name: str, *broken: tuple[str, tuple[int, ...]], seen: str = "no", known: str = "") -> Outcome:
    case = Case(name, "rollout", "sync", (A,), (), Location("x.yaml", 7))
    findings = tuple(Finding(one, "yes", seen, exchanges, known=known) for one, exchanges in broken)
    return Outcome(case, Judgement(Verdict.FAIL, {}, findings), None, 0.1, "rerun")


def shown(found: list[Cause]) -> list[tuple[str, int, int, str | None]]:
    return [(one.requirement.id, one.cases, one.first, one.after) for one in found]


def test_what_breaks_first_is_on_top_and_what_follows_is_named() -> None:
    outcomes = [outcome("1", (A, (4,)), (B, (2,))), outcome("2", (B, (2, 3)), (A, ())), outcome("3", (B, (0,)))]
    assert shown(causes(outcomes, CATALOGUE)) == [(B, 3, 3, None), (A, 2, 0, B)]


def test_a_response_comes_after_all_that_was_sent_before_it() -> None:
    """The result of a sync rollout is the response to the first request: what a generation request shows was earlier."""
    trace = Trace()
    for to_target in (True, False, False):
        trace.open(Request("POST", "/x", (), b""), to_target=to_target)
    for n in (1, 2, 0):
        trace.close(n)
    late = replace(outcome("1", (A, (0,)), (B, (1, 2))), trace=trace)
    assert shown(causes([late], CATALOGUE)) == [(B, 1, 1, None), (A, 1, 0, B)]


def test_what_breaks_alone_once_follows_from_nothing() -> None:
    outcomes = [outcome("1", (A, (4,)), (B, (2,))), outcome("2", (A, (1,)))]
    assert shown(causes(outcomes, CATALOGUE)) == [(A, 2, 1, None), (B, 1, 1, None)]


def test_a_must_comes_before_a_should_that_broke_earlier() -> None:
    assert [one.requirement.id for one in causes([outcome("1", (A, (4,)), (SHOULD, (1,)))], CATALOGUE)] == [A, SHOULD]


def test_nothing_follows_from_what_follows() -> None:
    outcomes = [outcome("1", (A, (1,)), (B, (2,)), (C, (3,)))]
    assert shown(causes(outcomes, CATALOGUE)) == [(A, 1, 1, None), (B, 1, 0, A), (C, 1, 0, A)]


def test_the_ways_in_which_one_requirement_breaks_are_one_cause() -> None:
    (cause,) = causes([outcome("1", (A, (1,)), seen="null"), outcome("2", (A, (1,)), seen="nothing")], CATALOGUE)
    assert (len(cause.groups), cause.cases) == (2, 2)


def test_what_is_known_is_no_cause() -> None:
    assert causes([outcome("1", (A, (1,)), known="later")], CATALOGUE) == []


def test_what_explains_another_one_is_before_it_in_fewer_cases() -> None:
    catalogue = {**CATALOGUE, C: replace(CATALOGUE[C], explains=(A,))}
    outcomes = [outcome("1", (A, (1,))), outcome("2", (A, (1,))), outcome("3", (B, (1,))), outcome("4", (C, (1,)))]
    assert [one.requirement.id for one in causes(outcomes, catalogue)] == [B, C, A]
