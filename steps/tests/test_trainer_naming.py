"""`rollout_id_in:` on a trainer's card: a request names its rollout there, right trainers are accused of nothing and wrong ones still are."""

from typing import Any

import pytest
from pydantic import ValidationError

from rollout_conformance.steps.engine.cases import Case, Step
from rollout_conformance.steps.engine.findings import Location, SuiteError, Verdict
from rollout_conformance.steps.engine.trace import Trace
from rollout_conformance.steps.peers.scripted_rollout_server import HostedRollout
from rollout_conformance.steps.profiles.trainer import actions as do
from rollout_conformance.steps.profiles.trainer import left_out
from rollout_conformance.steps.profiles.trainer.card import TrainerCard
from rollout_conformance.steps.profiles.trainer.fuzz_adapter import left_out as paths_left_out
from rollout_conformance.steps.profiles.trainer.generation import Generate
from rollout_conformance.steps.profiles.trainer.rollout_naming import Naming, names_another, naming
from rollout_conformance.steps.profiles.trainer.state import RolloutState
from rollout_conformance.steps.tests.trainer_runs import card, found, played

AT = Location("x.yaml", 1)
PATH = "/rollout/{rollout_id}/attempt/at-1"
SESSIONS = {"TRAINER-184", "TRAINER-187", "TRAINER-194", "TRAINER-195"}


def about_sessions(case: Case) -> bool:
    return case.requirements[0] in SESSIONS and "timeout" not in case.needs


def part_at(url: str) -> RolloutState:
    hosted = HostedRollout("", "r-1", "sync", Trace(), ())
    hosted.body = {"server_url": url}
    return RolloutState("", "r-1", hosted)


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("body", Naming({"rollout_id": "r/2"}, (), "", "")),
        ("key", Naming({}, (), "", "")),
        ("header:X-Session-ID", Naming({}, (("X-Session-ID", "r/2"),), "", "")),
        (PATH, Naming({}, (), "", "/rollout/r%2F2/attempt/at-1")),
    ],
)
def test_a_request_names_its_rollout_where_the_card_says(place: str, expected: Naming) -> None:
    assert naming(place, RolloutState("", "r-1"), "r/2") == expected


def test_a_url_names_the_rollout_whose_start_request_has_it() -> None:
    part = part_at("http://t/of/r-1/")
    assert naming("url", part, "r-1").base_url == "http://t/of/r-1"
    assert naming("url", part, "other").base_url == "http://t/of/other"
    assert names_another("url", part, "other")


def test_a_url_that_shows_no_rollout_id_names_no_other_rollout() -> None:
    assert not names_another("url", part_at("http://t/of/7f3a"), "other")


@pytest.mark.parametrize("place", ["header", "header:", "path", "/rollout/x", "cookie"])
def test_another_place_is_rejected(place: str) -> None:
    with pytest.raises(ValidationError, match="rollout_id_in"):
        TrainerCard.model_validate({"rollout_id_in": place})


def test_a_key_that_names_the_rollout_is_never_that_of_another_one() -> None:
    steps: Any = (do.StartRollout("a"), do.StartRollout("b"), Generate("a", key_of="b"))
    case = Case("c", "trainer", "sync", ("TRAINER-194",), tuple(Step(step, AT) for step in steps), AT)
    assert left_out.reason(TrainerCard(rollout_id_in="header:X-Session-ID"), case) is None
    assert "is a request of that rollout" in (left_out.reason(TrainerCard(rollout_id_in="key"), case) or "")


def test_generated_requests_are_those_of_the_contract_where_the_body_names_the_rollout() -> None:
    assert paths_left_out(TrainerCard(rollout_id_in="key")) == {"/v1/chat/completions", "/v1/rollout/completed"}


@pytest.mark.parametrize(
    ("rollouts", "place"),
    [
        ("control", "key"),
        ("control", "url"),
        ("started", "key"),
        ("open", "key"),
        ("open", PATH),
        ("open", "header:X-Session-ID"),
    ],
)
def test_a_trainer_that_reads_the_rollout_there_is_accused_of_nothing(rollouts: str, place: str) -> None:
    outcomes = played(card(rollouts, {"TRAINER_ROLLOUT_ID_IN": place}, rollout_id_in=place), about_sessions)
    assert found(outcomes) == set()
    verdicts = [outcome.judgement.verdict for outcome in outcomes]
    assert verdicts.count(Verdict.PASS) > 5
    assert set(verdicts) <= {Verdict.PASS, Verdict.SKIP}


@pytest.mark.parametrize(
    ("place", "mutant", "broken"),
    [
        ("key", "one_session", "TRAINER-184"),
        ("url", "opens_for_anybody", "TRAINER-184"),
        ("header:X-Session-ID", "ids_in_lower_case", "TRAINER-184"),
        ("url", "any_key", "TRAINER-194"),
        ("key", "any_history", "TRAINER-187"),
    ],
)
def test_a_defect_is_found_where_the_body_does_not_name_the_rollout(place: str, mutant: str, broken: str) -> None:
    described = card("control", {"TRAINER_ROLLOUT_ID_IN": place}, rollout_id_in=place)
    assert broken in found(played(described, about_sessions, mutant))


def test_a_trainer_that_needs_a_key_ends_the_run_with_that_reason() -> None:
    with pytest.raises(SuiteError, match="give the key with --target-key"):
        played(card("open", {"TRAINER_OPEN_KEY": "k"}), about_sessions)
