"""Engines that nobody here wrote do things otherwise and are right: each is played by one that has just that freedom.

And some have one fault, which is to be named once and by its own name.
"""

import asyncio
from collections import Counter

import pytest

from rollout_conformance.steps import case_catalog
from rollout_conformance.steps.commands import card
from rollout_conformance.steps.engine.findings import Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.target_card import Card
from rollout_conformance.steps.profiles import profile_of
from rollout_conformance.steps.profiles.chat.capabilities import has
from rollout_conformance.steps.profiles.chat.card import ChatCard
from rollout_conformance.steps.profiles.chat.determinism import ANSWERS_DIFFER, DIFFERENT, SAME
from rollout_conformance.steps.run_setup import RunOptions, ready

KEY = "key-of-a-client"
ENGINE = "app:rollout_server.tests.inference.strangers:create_app"
STREAMS = ("scenarios/chat/streams.yaml", "scenarios/chat/tools.yaml")


def outcomes(name: str, *files: str, declares: tuple[str, ...] = (), **more: object) -> list[Outcome]:
    """The cases of these files, or all that there are, against one of the engines, whose card declares these capabilities and has these
    members more."""
    return asyncio.run(_outcomes(name, files, {"capabilities": list(declares), **more}))


async def _outcomes(name: str, files: tuple[str, ...], more: dict[str, object]) -> list[Outcome]:
    env = {"STRANGER": name, "ENGINE_KEY": KEY}
    members = {"env": env, "key": KEY, "settle_s": 0, "patience_s": 15, **more}
    described = ChatCard.model_validate(members)
    async with ready(RunOptions(profile="chat", target=ENGINE, described=described, level="may")) as run:
        cases = [case for case in run.applicable(case_catalog.every("chat")) if not files or case.at.file in files]
        return list(await asyncio.gather(*(run.runner.play(case) for case in run.ordered(cases))))


def broken(played: list[Outcome]) -> Counter[str]:
    return Counter(finding.requirement for outcome in played for finding in outcome.judgement.findings)


def verdicts(played: list[Outcome]) -> set[Verdict]:
    return {outcome.judgement.verdict for outcome in played}


@pytest.mark.parametrize("name", ["reason_all", "reason_content"])
def test_an_engine_that_reasons_is_right_with_either_kind_of_logprobs(name: str) -> None:
    played = outcomes(name, *STREAMS, "scenarios/chat/sampling.yaml", "scenarios/chat/combinations.yaml")
    assert broken(played) == {}
    undecided = [one.case.requirements for one in played if one.judgement.verdict is Verdict.INCONCLUSIVE]
    assert set(undecided) <= {
        ("CHAT-068",)
    }  # without the logprobs of the reasoning nobody knows which token is repeated
    assert verdicts(played) <= {Verdict.PASS, Verdict.SKIP, Verdict.INCONCLUSIVE}


def test_reasoning_that_is_in_no_stream_is_one_breach() -> None:
    findings = [one for outcome in outcomes("loses_reasoning", *STREAMS) for one in outcome.judgement.findings]
    assert {one.requirement for one in findings} == {"CHAT-050"}
    assert any("reasoning" in one.expected and "reasoning null" in one.observed for one in findings)


@pytest.mark.parametrize("name", ["azure", "bare", "drops_logprobs", "small_context"])
def test_a_stream_of_another_kind_is_right(name: str) -> None:
    played = outcomes(name, *STREAMS)
    assert broken(played) == {}
    assert verdicts(played) == {Verdict.PASS, Verdict.SKIP}


def test_content_parts_may_be_rejected() -> None:
    played = outcomes("rejects_content_parts", "scenarios/chat/surface.yaml")
    assert broken(played) == {}
    assert verdicts(played) <= {Verdict.PASS, Verdict.SKIP}


def test_a_demanded_call_may_come_with_others() -> None:
    played = outcomes("calls_twice", "scenarios/chat/tools.yaml", "features/chat/tools.feature")
    assert broken(played) == {}
    assert verdicts(played) == {Verdict.PASS, Verdict.SKIP}


def test_errors_of_another_form_break_no_must() -> None:
    played = outcomes("detail", "scenarios/chat/surface.yaml")
    assert set(broken(played)) == {"CHAT-008"}


def test_unknown_paths_may_have_any_status() -> None:
    """What errors show is judged where there is an error; a page for browsers is none."""
    assert broken(outcomes("other_paths", "scenarios/chat/surface.yaml")) == {}


def test_what_is_wrongly_accepted_is_no_error_of_another_form() -> None:
    assert set(broken(outcomes("cool", "scenarios/chat/surface.yaml"))) == {"CHAT-003"}


def test_token_ids_that_stand_elsewhere_are_said_where() -> None:
    played = outcomes("elsewhere", "scenarios/chat/tokens.yaml")
    assert any("choices[0].provider_specific_fields.token_ids" in one.judgement.reason for one in played)
    assert broken(played) == {}


@pytest.mark.parametrize(("name", "status"), [("rate_limited", 429), ("unavailable", 503)])
def test_an_engine_that_is_full_now_and_then_is_accused_of_nothing(name: str, status: int) -> None:
    played = outcomes(name, *STREAMS)
    assert broken(played) == {}
    reasons = {one.judgement.reason for one in played if one.judgement.verdict is Verdict.INCONCLUSIVE}
    assert reasons == {f"the target returned {status} by itself"}


def test_an_engine_that_crashes_now_and_then_breaks_one_requirement() -> None:
    played = outcomes("crashes", *STREAMS)
    assert set(broken(played)) == {"CHAT-303"}


def test_a_combination_that_is_refused_is_said_to_be_refused_and_not_ignored() -> None:
    played = outcomes("refuses_tools_in_streams", *STREAMS, "scenarios/chat/combinations.yaml")
    findings = [finding for outcome in played for finding in outcome.judgement.findings]
    assert {finding.requirement for finding in findings} == {"CHAT-063"}
    assert all(finding.observed.startswith("rejected with 400") and not finding.ignored for finding in findings)


def test_an_engine_that_does_not_tell_its_context_is_asked_with_little_and_last() -> None:
    played = outcomes("untold_context", "scenarios/chat/surface.yaml")
    assert broken(played) == {}
    (long,) = [one for one in played if one.case.name == "a conversation that is too long is rejected"]
    assert long.trace is not None
    assert len(long.trace.exchanges[0].request.body) < 200_000
    others = [one.trace.epoch for one in played if one.trace is not None and one is not long]
    assert long.trace.epoch > max(others)


def test_a_prompt_that_is_longer_than_the_card_says_has_to_be_rejected() -> None:
    files = ("scenarios/chat/surface.yaml", "features/chat/rejections.feature")
    assert set(broken(outcomes("untold_context", *files, context_tokens=40))) == {"CHAT-004"}
    assert broken(outcomes("untold_context", *files, context_tokens=4096)) == {}


def test_a_message_that_is_continued_has_no_logprobs_of_its_beginning() -> None:
    played = outcomes("continues", "scenarios/chat/histories.yaml")
    assert broken(played) == {}
    (whole,) = [one for one in played if one.case.name.endswith(": an assistant message at the end")]
    assert whole.judgement.verdict is Verdict.PASS


FREE = ["no_usage", "untold_end", "rejects_no_choice", "wants_model", "gateway", "no_streams"]


@pytest.mark.parametrize("name", FREE)
def test_what_a_server_is_free_to_do_breaks_no_must(name: str) -> None:
    """It counts no tokens, shows no text of an end, rejects `tool_choice` none, checks the model before the key, is a gateway whose
    backend fails, or has no streams."""
    files = ("surface", "streams", "sampling", "tokens", "tools", "histories")
    played = outcomes(name, *(f"scenarios/chat/{file}.yaml" for file in files), "features/chat/rejections.feature")
    levels = profile_of("chat").levels
    must = {requirement for requirement in broken(played) if levels[requirement] == "must"}
    assert must <= {"no_usage": {"CHAT-025", "CHAT-026"}}.get(name, set())


def test_a_stream_that_comes_as_a_whole_is_one_breach() -> None:
    played = outcomes("ignores_stream", *STREAMS)
    assert set(broken(played)) == {"CHAT-057"}
    assert {one.observed for outcome in played for one in outcome.judgement.findings} == {"one JSON object"}


def test_a_system_message_behind_others_may_be_rejected() -> None:
    assert broken(outcomes("rejects_late_system", "scenarios/chat/surface.yaml", "scenarios/chat/histories.yaml")) == {}


def test_a_seed_without_effect_is_not_what_a_stream_changes() -> None:
    accused = set(broken(outcomes("ignores_seed", "scenarios/chat/streams.yaml", "features/chat/sampling.feature")))
    assert "CHAT-031" in accused
    assert "CHAT-050" not in accused


def test_answers_that_are_random_are_one_breach() -> None:
    """What compares two answers says nothing more of a server whose equal requests have different ones."""
    played = outcomes(
        "random", "scenarios/chat/streams.yaml", "scenarios/chat/sampling.yaml", "scenarios/chat/surface.yaml"
    )
    accused = set(broken(played))
    assert "CHAT-030" in accused
    assert not accused & {"CHAT-014", "CHAT-033", "CHAT-035", "CHAT-050", "CHAT-055"}
    skipped = [one.judgement.reason for one in played if one.judgement.verdict is Verdict.SKIP]
    assert any(ANSWERS_DIFFER in reason for reason in skipped)


@pytest.mark.parametrize("key", ["m", "model"])
def test_a_key_that_is_a_word_is_no_leak(key: str) -> None:
    files = ("scenarios/chat/surface.yaml", "features/chat/rejections.feature")
    played = outcomes("reason_all", *files, key=key, env={"STRANGER": "reason_all", "ENGINE_KEY": key})
    assert broken(played) == {}


@pytest.mark.parametrize(
    ("name", "arguments", "calculates"),
    [
        ("multiply", '{"a": 8, "b": 12}', True),
        ("multiply", '{"a": 1.0, "b": 1.0}', False),
        ("add", '{"a": 5, "b": 3}', False),
        ("add", '{"a": 8, "b": 12}', False),
    ],
)
def test_a_call_that_is_always_the_same_is_no_answer(name: str, arguments: str, calculates: bool) -> None:
    message = {"tool_calls": [{"id": "8-12", "function": {"name": name, "arguments": arguments}}]}
    assert has("calculates", {"choices": [{"message": message}]}) is calculates


IMPOSED = [("imposes_model", "request_model"), ("imposes_sampling", "request_sampling")]
ALL = tuple(
    f"scenarios/chat/{name}.yaml"
    for name in ("surface", "sampling", "parameters", "combinations", "streams", "tools", "tokens", "histories")
) + tuple(f"features/chat/{name}.feature" for name in ("rejections", "sampling", "streams", "conversations", "tools"))


@pytest.mark.parametrize(("name", "capability"), IMPOSED)
def test_what_a_proxy_imposes_by_design_is_not_judged_where_it_is_declared(name: str, capability: str) -> None:
    played = outcomes(name, *ALL, declares=(f"no_{capability}",))
    assert broken(played) == {}
    assert Verdict.ERROR not in verdicts(played)
    assert any(f"`{capability}`" in one.judgement.reason for one in played if one.judgement.verdict is Verdict.SKIP)


@pytest.mark.parametrize(("name", "capability"), IMPOSED)
def test_the_finding_names_what_such_a_proxy_declares(name: str, capability: str) -> None:
    played = outcomes(name, "scenarios/chat/surface.yaml", "scenarios/chat/sampling.yaml")
    accused = [one for outcome in played for one in outcome.judgement.findings if one.requirement == "CHAT-003"]
    assert accused
    assert all(f"`no_{capability}`" in one.hint for one in accused)


@pytest.mark.parametrize(("name", "told"), [("random", DIFFERENT), ("bare", SAME)])
def test_the_card_of_an_engine_tells_what_was_learnt_of_its_determinism(name: str, told: str) -> None:
    async def written() -> list[str]:
        described = Card.model_validate({"env": {"STRANGER": name, "ENGINE_KEY": KEY}, "key": KEY, "patience_s": 15})
        async with ready(RunOptions(profile="chat", target=ENGINE, described=described)) as run:
            return list(card.lines(run))

    assert any(line.startswith(f"# {told}") for line in asyncio.run(written()))
