"""`doctor` and the list of trainers: their data names what exists, and their words follow from verdicts."""

from collections.abc import Iterator

import pytest

from rollout_conformance.steps import catalogues, reward_zero, trainers
from rollout_conformance.steps.engine.findings import SuiteError

ROLLOUT = reward_zero.causes("rollout")


def named() -> Iterator[tuple[str, str]]:
    for profile, causes in reward_zero.every().items():
        yield from ((profile, name) for cause in causes for name in cause.requirements)
    for trainer in trainers.every():
        yield from ((name.partition("-")[0].lower(), name) for need in trainer.needs for name in need.requirements)


def test_every_requirement_that_is_named_exists() -> None:
    assert [(profile, name) for profile, name in named() if name not in catalogues.of(profile)] == []


def test_no_requirement_has_two_causes() -> None:
    for causes in reward_zero.every().values():
        every = [name for cause in causes for name in cause.requirements]
        assert len(every) == len(set(every))


def test_the_trainers_are_those_that_were_promised() -> None:
    assert [one.name for one in trainers.every()] == ["verl", "slime", "prime-rl", "NeMo-RL", "rLLM", "SkyRL"]
    assert all(one.of("rollout") and one.of("chat") for one in trainers.every())


def test_what_broke_first_is_most_likely() -> None:
    late, early = ROLLOUT[1].requirements[0], ROLLOUT[5].requirements[0]
    verdicts = {late: "fail", early: "fail"}
    assert [one.cause for one in reward_zero.diagnoses("rollout", verdicts, [early, late])[:2]] == [
        ROLLOUT[5],
        ROLLOUT[1],
    ]
    found = reward_zero.diagnoses("rollout", verdicts, [late, early])
    assert [one.cause for one in found[:2]] == [ROLLOUT[1], ROLLOUT[5]]
    assert reward_zero.sentence(found) == f"Most likely: {ROLLOUT[1].cause} `explain {late}` has the details."


def test_a_sound_seam_is_said_to_be_sound_with_what_is_open() -> None:
    verdicts = {cause.requirements[0]: "pass" for cause in ROLLOUT[1:]}
    text = "\n".join(reward_zero.lines(reward_zero.diagnoses("rollout", verdicts)))
    assert f"sound   {ROLLOUT[1].cause}  (1 kept)" in text
    assert f"?       {ROLLOUT[0].cause}  (not judged" in text
    assert "look at the task, the grader and the policy. 1 of 10 causes could not be judged." in text


def test_nothing_judged_is_not_sound() -> None:
    assert reward_zero.sentence(reward_zero.diagnoses("rollout", {})).startswith("Nothing could be judged.")


def test_a_profile_without_causes_is_refused() -> None:
    with pytest.raises(SuiteError, match="doctor knows the profiles rollout, chat"):
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
