"""Where a trainer may put the tokens of a generation: vLLM's members, those of gateways, and what the card names."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from rollout_conformance.steps.engine.findings import Finding
from rollout_conformance.steps.engine.trace import Request, Response, Trace
from rollout_conformance.steps.peers.calculator import tools
from rollout_conformance.steps.peers.scripted_rollout_server import HostedRollout
from rollout_conformance.steps.profiles.trainer.card import TrainerCard
from rollout_conformance.steps.profiles.trainer.invariants.generations import replies
from rollout_conformance.steps.profiles.trainer.state import Call, CaseView, RolloutState
from rollout_conformance.steps.profiles.trainer.token_members import places, value_at, with_tokens
from rollout_conformance.steps.tests.test_trainer_profile import QUESTION, TOKENS, reply
from rollout_conformance.steps.tests.trainer_runs import card, played

Body = dict[str, Any]


def as_openai(body: Body, token: Callable[[int], str] = str) -> Body:
    """The logprobs of a generation as OpenAI has them, beside its ids."""
    ids, values = body["token_ids"], body.pop("logprobs")
    content = [{"token": token(one), "logprob": value} for one, value in zip(ids, values, strict=True)]
    body["choices"][0]["logprobs"] = {"content": content}
    return body


def like_vllm() -> Body:
    body = as_openai(reply())
    body["choices"][0]["token_ids"] = body.pop("token_ids")
    return body


def like_a_gateway() -> Body:
    body = as_openai(reply())
    ids, prompt = body.pop("token_ids"), body.pop("prompt_token_ids")
    body["choices"][0]["provider_specific_fields"] = {"token_ids": ids, "prompt_token_ids": prompt}
    return body


def on_the_message() -> Body:
    body = reply()
    names = {
        "token_ids": "generation_token_ids",
        "prompt_token_ids": "prompt_token_ids",
        "logprobs": "generation_log_probs",
    }
    body["choices"][0]["message"] |= {new: body.pop(old) for old, new in names.items()}
    return body


def in_an_extension() -> Body:
    body = as_openai(reply())
    body["nvext"] = {"completion_token_ids": body.pop("token_ids"), "prompt_token_ids": body.pop("prompt_token_ids")}
    return body


def as_texts() -> Body:
    body = as_openai(reply(), "token_id:{}".format)
    del body["token_ids"]
    return body


FORMS = [reply, like_vllm, like_a_gateway, on_the_message, in_an_extension, as_texts]


def accused(body: Body, at: str | None = None) -> list[Finding]:
    trace = Trace()
    rollout = RolloutState("", "r1", HostedRollout("", "r1", "sync", trace, tools()), QUESTION, QUESTION)
    n = trace.open(Request("POST", "/v1/chat/completions"), to_target=True)
    trace.close(n, Response(200, (), json.dumps(body).encode()))
    rollout.calls.append(Call(n, {"messages": QUESTION}, True))
    view = CaseView(trace, "sync", {"": rollout}, TOKENS, None, token_ids_at=at)
    return [item for item in replies(view) if isinstance(item, Finding)]


@pytest.mark.parametrize("form", FORMS)
def test_tokens_are_read_where_trainers_put_them(form: Callable[[], Body]) -> None:
    right = reply()
    read = with_tokens(form(), None)
    assert {name: read[name] for name in ("token_ids", "prompt_token_ids", "logprobs")} == {
        name: right[name] for name in ("token_ids", "prompt_token_ids", "logprobs")
    }
    assert accused(form()) == []


@pytest.mark.parametrize("form", FORMS)
def test_tokens_there_are_judged_as_any_others(form: Callable[[], Body]) -> None:
    """The last token is left out, wherever the ids and their logprobs are."""
    body = json.loads(json.dumps(form()))
    for ids in _lists_of(body, reply()["token_ids"]):
        del ids[-1]
    for values in _lists_of(body, reply()["logprobs"]):
        del values[-1]
    for choice in body["choices"]:
        if "logprobs" in choice:
            del choice["logprobs"]["content"][-1]
    assert {item.requirement for item in accused(body)} == {"TRAINER-182"}


def _lists_of(value: Any, wanted: list[Any]) -> list[list[Any]]:
    if isinstance(value, dict):
        return [one for inner in value.values() for one in _lists_of(inner, wanted)]
    if isinstance(value, list) and value == wanted:
        return [value]
    return [one for inner in value for one in _lists_of(inner, wanted)] if isinstance(value, list) else []


def two_lists() -> Body:
    """The ids of the whole sequence beside those that were sampled."""
    body = like_vllm()
    body["choices"][0]["output_ids"] = [*body["prompt_token_ids"], *body["choices"][0]["token_ids"]]
    return body


def test_one_of_two_lists_is_not_guessed_and_the_card_is_told_to_name_it() -> None:
    (finding,) = accused(two_lists())
    assert finding.requirement == "TRAINER-180"
    assert "there are 2: choices[].token_ids, choices[].output_ids. Write the right one on the card" in finding.observed


def test_the_card_names_the_right_one() -> None:
    assert accused(two_lists(), "choices[].token_ids") == []
    assert "TRAINER-182" in {one.requirement for one in accused(two_lists(), "choices[].output_ids")}


def test_a_path_that_the_response_does_not_have_is_named() -> None:
    body = like_vllm()
    del body["choices"][0]["token_ids"]
    (finding,) = accused(body, "choices[].token_ids")
    assert "looked for at choices[].token_ids (`token_ids_at` on the card)" in finding.observed


def test_no_tokens_anywhere_break_the_requirement() -> None:
    body = as_openai(reply())
    del body["token_ids"]
    assert {item.requirement for item in accused(body)} == {"TRAINER-180"}


def test_a_list_in_its_member_of_the_contract_is_not_replaced() -> None:
    body = {**like_vllm(), "token_ids": [1, 2]}
    assert with_tokens(body, None)["token_ids"] == [1, 2]


@pytest.mark.parametrize(
    "value", [{"choices": 1}, {"choices": [7]}, {"choices": [{"logprobs": 3}]}, {"choices": [{"message": []}]}]
)
def test_any_response_can_be_looked_through(value: Body) -> None:
    assert with_tokens(value, None) == value
    assert value_at(value, "choices[].message.token_ids") is None


def test_what_is_deeper_than_any_response_is_not_looked_through() -> None:
    deep: Any = {"token_ids": [1]}
    for _ in range(2000):
        deep = {"a": deep}
    assert places(deep, ("token_ids",)) == []


def test_a_path_is_all_that_the_card_takes() -> None:
    place = "choices[].provider_specific_fields.token_ids"
    assert TrainerCard.model_validate({"token_ids_at": place}).token_ids_at == place
    with pytest.raises(ValueError, match="token_ids_at"):
        TrainerCard.model_validate({"token_ids_at": "$.choices[0]..ids"})


def test_without_a_response_mask_none_is_sent_and_none_is_judged() -> None:
    names = ("a rejected response mask is not counted as a turn", "generations with tool calls and tool results")
    outcomes = played(card(response_mask=False), lambda case: case.name in names)
    assert {outcome.case.name for outcome in outcomes if outcome.judgement.verdict == "skip"} == {names[0]}
    other = next(outcome.trace for outcome in outcomes if outcome.case.name == names[1])
    assert other is not None
    requests = [one.request for one in other.exchanges if one.request.path.endswith("/chat/completions")]
    assert len(requests) == 2
    assert all(b"response_mask" not in request.body for request in requests)
