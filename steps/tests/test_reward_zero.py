"""`doctor` and the list of trainers: their data names what exists, and their words follow from verdicts."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from rollout_conformance.steps import catalogues, reward_zero, trainers
from rollout_conformance.steps.commands.doctor import leading
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.causes import Cause
from rollout_conformance.steps.engine.failure_report import Group
from rollout_conformance.steps.engine.findings import Finding, Judgement, Location, SuiteError, Verdict
from rollout_conformance.steps.engine.outcome import Outcome

ROLLOUT = reward_zero.causes("rollout")


def named() -> Iterator[tuple[str, str]]:
    for profile, causes in reward_zero.every().items():
        yield from ((profile, name) for cause in causes for name in cause.requirements)
    for trainer in trainers.every():
        yield from ((name.partition("-")[0].lower(), name) for need in trainer.needs for name in need.requirements)


def test_every_requirement_that_is_named_exists() -> None:
    assert [(profile, name) for profile, name in named() if name not in catalogues.of(profile)] == []


def test_a_requirement_has_two_causes_only_where_the_evidence_tells_them_apart() -> None:
    for causes in reward_zero.every().values():
        every = [name for cause in causes for name in cause.requirements if name not in cause.evidence]
        assert len(every) == len(set(every))
        assert all(set(cause.evidence) <= set(cause.requirements) for cause in causes)


def test_the_trainers_are_those_that_were_promised() -> None:
    assert [one.name for one in trainers.every()] == ["verl", "slime", "prime-rl", "NeMo-RL", "rLLM", "SkyRL"]
    assert all(one.of("rollout") and one.of("chat") for one in trainers.every())


def played(name: str, *findings: Finding, kept: tuple[str, ...] = ()) -> Outcome:
    """A case with these findings, in which `kept` was judged and kept."""
    broken = dict.fromkeys((one.requirement for one in findings), Verdict.FAIL)
    verdict = Verdict.FAIL if findings else Verdict.PASS
    judgement = Judgement(verdict, {**dict.fromkeys(kept, Verdict.PASS), **broken}, findings)
    return Outcome(Case(name, "rollout", "sync", (), (), Location("a.yaml", 1)), judgement, None, 0.1, "")


def found(*outcomes: Outcome, first: tuple[str, ...] = ()) -> list[reward_zero.Diagnosis]:
    return reward_zero.diagnoses("rollout", outcomes, first)


def causes_of(diagnoses: list[reward_zero.Diagnosis]) -> list[str]:
    return [one.cause.cause for one in diagnoses if one.broken]


def test_what_broke_first_is_most_likely() -> None:
    late, early = ROLLOUT[2].requirements[0], ROLLOUT[6].requirements[0]
    both = [played("a", Finding(late, "x", "y")), played("b", Finding(early, "x", "y"))]
    assert causes_of(found(*both, first=(early, late))) == [ROLLOUT[6].cause, ROLLOUT[2].cause]
    in_order = found(*both, first=(late, early))
    assert causes_of(in_order) == [ROLLOUT[2].cause, ROLLOUT[6].cause]
    assert reward_zero.sentence(in_order) == f"Most likely: {ROLLOUT[2].cause} `explain {late}` has the details."


def test_what_was_observed_stands_below_its_cause() -> None:
    wrong = Finding("ROLLOUT-055", "14 zeros", "response_mask of 13 entries, 1 too few\x1b[2J")
    text = "\n".join(reward_zero.lines(found(played("a", wrong), played("b", kept=("ROLLOUT-055",)))))
    assert "ROLLOUT-055   in 1 of the 2 cases that judge it, such as 'a'" in text
    assert "    expected    14 zeros" in text
    assert "    observed    response_mask of 13 entries, 1 too few\\x1b[2J" in text


def test_what_nearly_all_cases_keep_explains_no_reward_that_is_always_zero() -> None:
    """ROLLOUT-119 is broken in one special case of thirty, the mask in every second one: the mask is named, though less likely."""
    odd = played("odd", Finding("ROLLOUT-119", "status ERROR", "status COMPLETED"))
    kept = [played(f"kept {n}", kept=("ROLLOUT-119", "ROLLOUT-055")) for n in range(29)]
    alone = found(odd, *kept, first=("ROLLOUT-119",))
    assert alone[0].partly
    assert next(iter(reward_zero.lines(alone))) == f"PARTLY  {ROLLOUT[2].cause}"
    assert reward_zero.sentence(alone).startswith(
        "Nothing was seen that makes every reward zero. In special situations"
    )
    mask = [played(f"mask {n}", Finding("ROLLOUT-055", "14 zeros", "13")) for n in range(20)]
    both = found(odd, *kept, *mask, first=("ROLLOUT-119", "ROLLOUT-055"))
    assert causes_of(both)[0] == "The mask trains on the wrong tokens."


@pytest.mark.parametrize(
    ("requirement", "expected", "observed"),
    [
        ("ROLLOUT-032", "the start request rejected with 422 and a JSON body", "accepted with 200"),
        ("ROLLOUT-112", "COMPLETED with finish_reason stop", 'status "COMPLETED", finish_reason "tool_calls"'),
        ("ROLLOUT-114", "COMPLETED with finish_reason max_tokens", 'status "COMPLETED", finish_reason "length"'),
        ("ROLLOUT-114", "no further call once max_tokens_total = 100 is reached", "a call after 120 sampled tokens"),
        ("ROLLOUT-045", "Content-Type: application/json", "none"),
    ],
)
def test_a_breach_with_another_effect_is_no_cause(requirement: str, expected: str, observed: str) -> None:
    """A server that validates less, or has another word for an end, runs its rollouts and scores what was generated."""
    assert causes_of(found(played("a", Finding(requirement, expected, observed)))) == []


@pytest.mark.parametrize(
    ("requirement", "expected", "observed", "cause"),
    [
        ("ROLLOUT-032", "accepted", "rejected with 422", "The server does not run the rollout"),
        (
            "ROLLOUT-112",
            "COMPLETED with finish_reason stop",
            'status "ERROR", finish_reason "error"',
            "The server does",
        ),
        ("ROLLOUT-112", "the end: the assistant asked for no tools", "another generation call", "The agent runs on"),
        ("ROLLOUT-113", "COMPLETED with finish_reason (none yet)", 'status "COMPLETED"', "The rollout ends before"),
        ("ROLLOUT-114", "COMPLETED with finish_reason max_tokens", 'finish_reason "stop"', "The rollout ends before"),
    ],
)
def test_the_evidence_tells_which_cause_it_is(requirement: str, expected: str, observed: str, cause: str) -> None:
    [named] = causes_of(found(played("a", Finding(requirement, expected, observed))))
    assert named.startswith(cause)


CALLS = 'as without `stream`: calls [{"name":"add","arguments":"{}"}]'
REJECTION = ("200: nothing in the case gives reason for another status", "rejected with 400: {}")


@pytest.mark.parametrize(
    ("requirement", "expected", "observed", "cause"),
    [
        ("CHAT-050", CALLS, 'calls [{"name":"add","arguments":"{}{}"}]', "Tool calls are lost"),
        ("CHAT-050", 'as without `stream`: finish "tool_calls"', 'finish "stop"', "Tool calls are lost"),
        ("CHAT-050", 'as without `stream`: content "Paris"', 'content "PParis"', "A stream is not the response."),
        ("CHAT-034", "4 tokens, finish_reason length", '15 tokens, finish_reason "stop"', "Limits and stop strings"),
        ("CHAT-038", "finish_reason length", '"stop"', "A truncated answer counts"),
        ("CHAT-038", "finish_reason tool_calls", '"stop"', "Tool calls are lost"),
        ("CHAT-050", *REJECTION, "Right requests are rejected."),
        ("CHAT-025", *REJECTION, "Right requests are rejected."),
        ("CHAT-060", *REJECTION, "Right requests are rejected."),  # a requirement of no cause
        ("TRAINER-184", "generation requests return 404 200", "[404,422]", "Right requests are rejected."),
        ("TRAINER-191", "completed callbacks return 200 200 200", "[200,409,409]", "Right requests are rejected."),
        ("TRAINER-190", "the same generation as before", "409", "Right requests are rejected."),
        ("TRAINER-184", "generation requests return 404 200", "[200,200]", "Turns of one rollout"),
        ("TRAINER-184", "generation requests return 404 200", "[429,200]", "Turns of one rollout"),
        ("TRAINER-195", "generation requests return 200 4xx", "[200,200]", "The result that counts"),
        ("TRAINER-188", "79 ones of 182, where", "110 ones of 182, the first", "The mask trains"),
    ],
)
def test_the_evidence_names_one_cause_of_each_profile(
    requirement: str, expected: str, observed: str, cause: str
) -> None:
    profile = requirement.partition("-")[0].lower()
    diagnoses = reward_zero.diagnoses(profile, [played("a", Finding(requirement, expected, observed))])
    [named] = causes_of(diagnoses)
    assert named.startswith(cause)


def test_a_mask_of_other_tokens_is_none_of_the_wrong_ones() -> None:
    other = Finding("TRAINER-188", "88 ones of 186, where", "88 ones of 192, the first")
    diagnoses = reward_zero.diagnoses("trainer", [played("a", other), played("b", kept=("TRAINER-188",))])
    assert causes_of(diagnoses) == []
    [line] = [line for line in reward_zero.lines(diagnoses) if "The mask trains" in line]
    assert line.endswith("(TRAINER-188 broken with another effect)")


def test_what_follows_from_no_cause_leads_with_all_of_its_cases() -> None:
    """Turns that are encoded again change the mask in the same exchange; a mask of other tokens is no cause here."""

    def cause(name: str, cases: int, first: int, after: str | None = None) -> Cause:
        requirement = catalogues.of("trainer")[name]
        return Cause((Group(requirement, Finding(name, "x", "y"), played("a")),), cases, first, after)

    causes = [cause("TRAINER-188", 23, 23), cause("TRAINER-304", 5, 5), cause("TRAINER-189", 23, 0, "TRAINER-188")]
    assert leading(causes, {"TRAINER-304", "TRAINER-189"})[-1] == "TRAINER-304"
    assert leading(causes, {"TRAINER-188", "TRAINER-304", "TRAINER-189"})[-1] == "TRAINER-189"


def test_what_was_not_judged_of_a_sound_cause_is_counted() -> None:
    kept = ROLLOUT[2].requirements[:1]
    text = "\n".join(reward_zero.lines(found(played("a", kept=tuple(kept)))))
    assert f"sound   {ROLLOUT[2].cause}  (1 kept, {len(ROLLOUT[2].requirements) - 1} not judged)" in text


def test_what_a_case_expects_is_no_evidence_of_what_invariants_judge() -> None:
    """A case about histories that ends too early shows nothing of histories, though its expectation accuses ROLLOUT-048."""
    asked = Finding("ROLLOUT-048", "6 generation request(s)", "2", at=Location("a.yaml", 1))
    assert causes_of(found(played("a", asked))) == []
    assert causes_of(found(played("a", replace(asked, at=None)))) == [ROLLOUT[7].cause]
    limit = Finding("ROLLOUT-033", "10 generation request(s)", "2", at=Location("a.yaml", 1))
    assert causes_of(found(played("a", limit))) == ["The rollout ends before the task does."]


def test_a_sound_seam_is_said_to_be_sound_with_what_is_open() -> None:
    kept = {name for cause in ROLLOUT[1:] for name in cause.requirements} - set(ROLLOUT[0].requirements)
    text = "\n".join(reward_zero.lines(found(played("a", kept=tuple(kept)))))
    assert f"sound   {ROLLOUT[2].cause}  ({len(ROLLOUT[2].requirements)} kept)" in text
    assert f"?       {ROLLOUT[0].cause}  (not judged" in text
    assert f"look at the task, the grader and the policy. 1 of {len(ROLLOUT)} causes could not be judged." in text


def test_nothing_judged_is_not_sound() -> None:
    assert reward_zero.sentence(found()).startswith("Nothing could be judged.")


def test_a_profile_without_causes_is_refused() -> None:
    with pytest.raises(SuiteError, match="doctor knows the profiles rollout, chat, trainer"):
        reward_zero.causes("router")


def told(verdicts: dict[str, str], *left_out: str) -> list[str]:
    """The lines of a run with cases about all of these requirements but those left out."""
    return list(trainers.lines("rollout", verdicts, set(verdicts) - set(left_out)))


def test_a_trainer_is_told_what_is_broken_and_what_is_open() -> None:
    verdicts = dict.fromkeys(trainers.every()[0].of("rollout"), "pass")  # of verl
    assert "  verl, SkyRL: all requirements kept" in told(verdicts)
    assert "  verl: nothing seen broken; not judged: ROLLOUT-060" in told(verdicts, "ROLLOUT-060")
    verdicts["ROLLOUT-060"] = "fail"
    assert {"  verl: broken: ROLLOUT-060", "  SkyRL: all requirements kept"} <= set(told(verdicts, "ROLLOUT-060"))


def test_a_run_of_a_few_cases_says_nothing_about_trainers() -> None:
    """Each case shows that much is kept beside what it is about."""
    verdicts = dict.fromkeys(trainers.every()[0].of("rollout"), "pass")
    assert told(verdicts, *(set(verdicts) - {"ROLLOUT-049"})) == []
    assert told({"ROLLOUT-001": "pass"}) == []
    assert list(trainers.lines("router", {"ROUTER-001": "pass"}, {"ROUTER-001"})) == []
