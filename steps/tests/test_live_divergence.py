"""Where mock and live disagree: what kind of case it is, whether to deploy, what differs on the wire, and how it is told."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import BROKEN, Finding, Judgement, Location, Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.trace import Trace
from rollout_conformance.steps.live import divergence
from rollout_conformance.steps.live.divergence import (
    Divergence,
    Kind,
    Played,
    compared,
    exit_code,
    kind,
    latency_class,
    slowest,
)
from rollout_conformance.steps.live.inference_client import Engine
from rollout_conformance.steps.live.trainer import Drift, Drifts
from rollout_conformance.steps.tests.live_traces import CHAT, COMPLETED, DRIFT, NOTHING, START, trace

PASS, FAIL, ERROR, SKIP, INCONCLUSIVE = (
    Verdict.PASS,
    Verdict.FAIL,
    Verdict.ERROR,
    Verdict.SKIP,
    Verdict.INCONCLUSIVE,
)


def outcome(
    name: str,
    verdict: Verdict,
    requirements: Mapping[str, Verdict] | None = None,
    made: Trace | None = None,
    reason: str = "",
) -> Outcome:
    case = Case(name, "rollout", "sync", ("ROLLOUT-094",), (), Location("x.yaml", 1))
    return Outcome(case, Judgement(verdict, requirements or {}, (), reason), made, 0.1, "")


def played(*outcomes: Outcome, drifts: tuple[Drift, ...] = (), texts: tuple[tuple[str, str], ...] = ()) -> Played:
    return Played({one.case.id: one for one in outcomes}, "tiny (0.11)", drifts, texts)


def of(*verdicts: tuple[Verdict, Verdict], drifts: tuple[Drift, ...] = ()) -> Divergence:
    """A run with cases of these verdicts by mock and live."""
    mock = [outcome(f"c{n}", one) for n, (one, _) in enumerate(verdicts)]
    live = [outcome(f"c{n}", one) for n, (_, one) in enumerate(verdicts)]
    return compared(played(*mock), played(*live, drifts=drifts), NOTHING)


def told(found: Divergence) -> list[str]:
    return list(divergence.lines(found))


@pytest.mark.parametrize("mock", Verdict)
@pytest.mark.parametrize("live", Verdict)
def test_every_pair_of_verdicts_has_its_kind(mock: Verdict, live: Verdict) -> None:
    if mock in BROKEN:
        assert kind(mock, live) is Kind.LOGIC
    elif mock is PASS and live in (PASS, *BROKEN):
        assert kind(mock, live) is (Kind.SAFE if live is PASS else Kind.CRITICAL)
    else:
        assert kind(mock, live) is Kind.UNDECIDED


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([(PASS, PASS)], 0),
        ([(PASS, PASS), (SKIP, SKIP), (PASS, SKIP), (PASS, INCONCLUSIVE)], 0),
        ([(PASS, PASS), (PASS, FAIL)], 1),
        ([(PASS, PASS), (FAIL, PASS)], 1),
        ([(FAIL, ERROR), (ERROR, PASS)], 1),
        ([(PASS, FAIL), (PASS, ERROR)], 1),
        ([], 2),
        ([(SKIP, PASS)], 2),
        ([(INCONCLUSIVE, FAIL)], 2),
        ([(PASS, PASS), (PASS, ERROR)], 2),
        ([(PASS, PASS), (ERROR, PASS)], 2),
    ],
)
def test_the_exit_code_says_whether_to_deploy(verdicts: list[tuple[Verdict, Verdict]], code: int) -> None:
    found = of(*verdicts)
    assert exit_code(found) == code
    assert told(found)[-1].startswith(("Safe to deploy", "Do not deploy", "Not decided")[code])


@pytest.mark.parametrize("verdicts", [[(PASS, PASS)], [(PASS, ERROR)], []])
def test_prompts_that_drifted_forbid_it(verdicts: list[tuple[Verdict, Verdict]]) -> None:
    assert exit_code(of(*verdicts, drifts=(DRIFT,))) == 1


def test_of_a_requirement_the_worst_is_told() -> None:
    a, b, c, d = "ROLLOUT-001", "ROLLOUT-002", "ROLLOUT-003", "ROLLOUT-004"
    mock = [outcome("1", PASS, {a: PASS, b: PASS, c: PASS, d: SKIP}), outcome("2", FAIL, {a: PASS, b: PASS, c: FAIL})]
    live = [outcome("1", FAIL, {a: PASS, b: FAIL, c: FAIL}), outcome("2", PASS, {a: INCONCLUSIVE, b: PASS, c: PASS})]
    wanted = {a: Kind.SAFE, b: Kind.CRITICAL, c: Kind.LOGIC, d: Kind.UNDECIDED}
    assert compared(played(*mock), played(*live), NOTHING).requirements == wanted
    assert compared(played(*mock[::-1]), played(*live[::-1]), NOTHING).requirements == wanted


def test_a_case_that_fails_names_the_requirement_that_it_breaks() -> None:
    """It need not be the one that the case is about."""
    broken = outcome("1", FAIL)
    finding = Finding("CHAT-023", "one", "two " * 100)
    live = replace(broken, judgement=replace(broken.judgement, findings=(finding,)))
    found = compared(played(outcome("1", PASS)), played(live), NOTHING)
    shown = next(line for line in told(found) if "mock pass, live fail" in line)
    assert ": CHAT-023, expected one, observed two two" in shown
    assert shown.endswith("...")


def test_a_requirement_that_fails_no_case_is_advisory() -> None:
    should = "ROLLOUT-002"
    mock, live = outcome("1", PASS, {should: PASS}), outcome("1", PASS, {should: FAIL})
    found = compared(played(mock), played(live), NOTHING)
    assert (found.requirements, exit_code(found)) == ({should: Kind.ADVISORY}, 0)
    assert "1 requirements: 0 safe, 0 critical, 1 advisory, 0 logic, 0 undecided" in told(found)


def test_a_requirement_that_one_side_did_not_judge_is_undecided() -> None:
    mock, live = outcome("1", PASS, {"ROLLOUT-001": PASS}), outcome("1", PASS, {"ROLLOUT-002": PASS})
    found = compared(played(mock), played(live), NOTHING)
    assert found.requirements == {"ROLLOUT-001": Kind.UNDECIDED, "ROLLOUT-002": Kind.UNDECIDED}


def test_only_what_both_played_is_compared() -> None:
    found = compared(played(outcome("1", PASS), outcome("2", PASS)), played(outcome("2", FAIL), outcome("3", FAIL)))
    assert [(one.case.name, one.kind) for one in found.cases] == [("2", Kind.CRITICAL)]


def test_what_either_side_lacks_is_not_compared() -> None:
    found = of((SKIP, SKIP), (PASS, SKIP), (SKIP, FAIL), (PASS, PASS))
    assert [(one.case.name, one.kind) for one in found.cases] == [("c3", Kind.SAFE)]


def test_a_mock_that_fails_is_a_logic_error_whatever_the_engine_lacks() -> None:
    assert [one.kind for one in of((FAIL, SKIP)).cases] == [Kind.LOGIC]


def test_the_comparisons_of_several_profiles_are_one() -> None:
    other = replace(DRIFT, rollout="r2")
    mock, live = outcome("x", PASS, {"ROLLOUT-001": PASS}), outcome("x", PASS, {"ROLLOUT-001": PASS})
    first = compared(played(mock), played(live), NOTHING)
    second = compared(played(outcome("y", PASS)), played(outcome("y", FAIL), drifts=(other,), texts=(("a", "b"),)))
    both = divergence.together([first, second])
    assert [(one.case.name, one.kind) for one in both.cases] == [("x", Kind.SAFE), ("y", Kind.CRITICAL)]
    assert (both.live.model, both.live.drifts, both.live.texts) == ("tiny (0.11)", (other,), (("a", "b"),))
    assert both.requirements == {"ROLLOUT-001": Kind.SAFE}
    assert exit_code(divergence.together([first])) == 0
    assert exit_code(both) == 1


def test_the_reason_is_that_of_the_live_run_else_of_the_mock() -> None:
    reasons = [("mock's", "live's"), ("mock's", ""), ("", "")]
    mock = [outcome(f"{n}", PASS, reason=ours) for n, (ours, _) in enumerate(reasons)]
    live = [outcome(f"{n}", FAIL, reason=theirs) for n, (_, theirs) in enumerate(reasons)]
    assert [one.reason for one in compared(played(*mock), played(*live)).cases] == ["live's", "mock's", ""]


@pytest.mark.parametrize(
    ("seconds", "name"),
    [
        (0.0, "as fast as a mock"),
        (0.1, "as fast as a mock"),
        (0.11, "faster than a 7B"),
        (1.0, "faster than a 7B"),
        (2.0, "like a 7B"),
        (3.0, "like a 7B"),
        (5.0, "like a 13B"),
        (7.0, "like a 13B"),
        (7.01, "like a 70B"),
        (30.0, "like a 70B"),
        (30.01, "over 30 s: investigate"),
        (3600.0, "over 30 s: investigate"),
    ],
)
def test_how_long_it_took_is_put_in_classes(seconds: float, name: str) -> None:
    assert latency_class(seconds) == name


def test_the_slowest_generation_is_that_of_no_other_call() -> None:
    made = trace((START, {}, {}), (CHAT, {}, {}), (f"/x{CHAT}", {}, {}), (COMPLETED, {}, {}), took=[60, 2, 4, 90])
    assert slowest(made) == pytest.approx(4)
    made.exchanges.append(replace(made.exchanges[1], ended=None))
    assert slowest(made) == pytest.approx(4)
    assert (slowest(None), slowest(trace((START, {}, {})))) == (None, None)


def everything() -> Divergence:
    wire = trace((CHAT, {"a": 1}, {"b": 1}), took=[0.05])
    slow = trace((CHAT, {"a": 1}, {"b": "x"}), took=[31.0])
    slower = trace((CHAT, {"a": 1}, {"b": "x", "c": 1}), took=[32.0])
    mock = [
        outcome("good", PASS, {"ROLLOUT-001": PASS}, wire),
        outcome("bad", PASS, {"ROLLOUT-002": PASS}, wire),
        outcome("wrong", FAIL, {"ROLLOUT-003": FAIL}, wire),
        outcome("odd", INCONCLUSIVE, reason="no occasion arose"),
    ]
    live = [
        outcome("good", PASS, {"ROLLOUT-001": PASS}, trace((CHAT, {"a": 1}, {"b": 1}), took=[0.5])),
        outcome("bad", FAIL, {"ROLLOUT-002": FAIL}, slow, "2 of 5 runs held"),
        outcome("wrong", FAIL, {"ROLLOUT-003": FAIL}, slower),
        outcome("odd", INCONCLUSIVE),
    ]
    return compared(played(*mock), played(*live, drifts=(DRIFT, DRIFT), texts=(("ours", "theirs"),)), NOTHING)


def test_the_report_for_people() -> None:
    assert told(everything()) == [
        "mock fails: logic error: 1 case(s)",
        "  x.yaml::wrong[sync]  mock fail, live fail",
        "",
        "mock passes, live fails: CRITICAL, the mock has drifted or the integration is broken: 1 case(s)",
        "  x.yaml::bad[sync]  mock pass, live fail: 2 of 5 runs held",
        "",
        "not decided on both sides: 1 case(s)",
        "  x.yaml::odd[sync]  mock inconclusive, live inconclusive: no occasion arose",
        "",
        "The engine reads prompts otherwise than the suite: 2 time(s). The first of them:",
        "  rollout r1, token 5",
        "  suite   ids [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]  text 'ours'",
        "  engine  ids [1, 2, 3, 4, 99, 6, 7, 8, 9, 10, 11, 12]  text 'theirs'",
        "  Its tokenizer or its chat template is another one. Serve the model with those of --tokenizer.",
        "",
        "Members that differ live, beyond what scenarios/divergence.yaml allows:",
        "  generation.reply.b  type: scripted number, live text",
        "    in 2 case(s), such as 'wrong' [sync]",
        "  generation.reply.c  type: scripted absent, live number",
        "    in 1 case(s), such as 'wrong' [sync]",
        "",
        "slowest generation of a case: median 31.00 s (over 30 s: investigate), worst 32.00 s (over 30 s: investigate)",
        "4 cases with tiny (0.11): 1 safe, 1 critical, 1 logic, 1 undecided",
        "3 requirements: 1 safe, 1 critical, 1 logic, 0 undecided",
        "Do not deploy.",
    ]


def test_a_good_run_is_told_in_three_lines() -> None:
    assert told(of((PASS, PASS))) == [
        "1 cases with tiny (0.11): 1 safe, 0 critical, 0 logic, 0 undecided",
        "0 requirements: 0 safe, 0 critical, 0 logic, 0 undecided",
        "Safe to deploy.",
    ]


def test_a_drift_without_its_texts_shows_the_ids() -> None:
    lines = told(of((PASS, PASS), drifts=(replace(DRIFT, position=1),)))
    assert lines[1:4] == [
        "  rollout r1, token 1",
        "  suite   ids [0, 1, 2, 3, 4, 5, 6, 7, 8]",
        "  engine  ids [0, 1, 2, 3, 4, 99, 6, 7, 8]",
    ]


def test_of_many_cases_the_first_are_shown_and_all_are_counted() -> None:
    lines = told(of(*[(PASS, FAIL)] * 50))
    assert lines[0].endswith(": 50 case(s)")
    assert lines.index("") == 1 + divergence.MOST_SHOWN


def test_members_that_differ_equally_often_are_told_in_one_order() -> None:
    names = [f"m{n:02}" for n in range(16)]
    mock = outcome("1", PASS, made=trace((CHAT, {}, dict.fromkeys(names, 1))))
    live = outcome("1", PASS, made=trace((CHAT, {}, dict.fromkeys(names, 2))))
    shown = [line.split()[0] for line in told(compared(played(mock), played(live), NOTHING)) if "value:" in line]
    assert shown == [f"generation.reply.{name}" for name in names]


def test_the_report_as_data(tmp_path: Path) -> None:
    divergence.write(tmp_path / "d.ndjson", everything())
    header, *entries, footer = [json.loads(line) for line in (tmp_path / "d.ndjson").read_text().splitlines()]
    assert header == {"type": "header", "report": "divergence", "model": "tiny (0.11)", "drifts": 2}
    kinds = {"safe": 1, "critical": 1, "logic": 1, "undecided": 1}
    assert footer == {"type": "footer", "cases": 4, "kinds": kinds, "exit": 1}
    cases = [entry for entry in entries if entry["type"] == "divergence"]
    assert [(one["case"], one["kind"], one["class"]) for one in cases] == [
        ("x.yaml::good[sync]", "safe", "faster than a 7B"),
        ("x.yaml::bad[sync]", "critical", "over 30 s: investigate"),
        ("x.yaml::wrong[sync]", "logic", "over 30 s: investigate"),
        ("x.yaml::odd[sync]", "undecided", None),
    ]
    assert cases[1] == {
        "type": "divergence",
        "case": "x.yaml::bad[sync]",
        "mock": "pass",
        "live": "fail",
        "kind": "critical",
        "reason": "2 of 5 runs held",
        "generation_s": 31.0,
        "class": "over 30 s: investigate",
        "differences": [
            {"member": "generation.reply.b", "what": "type", "scripted": "number", "live": "text"},
        ],
    }
    assert [(e["id"], e["kind"]) for e in entries if e["type"] == "requirement"] == [
        ("ROLLOUT-001", "safe"),
        ("ROLLOUT-002", "critical"),
        ("ROLLOUT-003", "logic"),
    ]


def test_no_secret_is_written(tmp_path: Path) -> None:
    mock, live = outcome("1", PASS), outcome("1", ERROR, reason="tk-rc-0123abcd-7x-it was refused")
    divergence.write(tmp_path / "d.ndjson", compared(played(mock), played(live)))
    assert "tk-rc" not in (tmp_path / "d.ndjson").read_text()
    assert "*** was refused" in (tmp_path / "d.ndjson").read_text()


def test_of_a_run_its_engine_and_drifts_are_kept() -> None:
    drifts = Drifts((DRIFT, DRIFT), (("5", "99"),))
    one = outcome("1", PASS)
    found = divergence.of_run(Engine("http://x", "tiny", version="0.11"), drifts, [one])
    assert found == Played({one.case.id: one}, "tiny (0.11)", (DRIFT, DRIFT), (("5", "99"),))
    assert divergence.of_run(None, Drifts(), []) == Played({})
