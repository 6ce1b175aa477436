"""Equal samples are a finding only where the model was unlikely to give them."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from rollout_conformance.steps.profiles.chat.expectations.samples import same_sample
from rollout_conformance.steps.profiles.chat.expectations.sampling import ChoicesDiffer, SamplesDiffer
from rollout_conformance.steps.profiles.chat.responses import ChatResponse

SAMPLES = 8
RARE, LIKELY = -2.0, -0.1  # of the whole text: 8 times by chance in 1 of 9 million, and in 1 of 2


def response(text: str, logprob: float | None) -> ChatResponse:
    entries = None if logprob is None else {"content": [{"token": text, "logprob": logprob}]}
    choice = {"index": 0, "message": {"content": text}, "finish_reason": "stop", "logprobs": entries}
    return ChatResponse("it", 1, {}, 200, {"choices": [choice]})


def judged(texts: list[str], logprob: float | None, greedy: str) -> bool | None:
    view = cast(Any, SimpleNamespace(named=lambda *_: [response(greedy, logprob)]))
    found = SamplesDiffer(greedy="greedy").compare([response(text, logprob) for text in texts], view)
    return None if found is None else found.ok


@pytest.mark.parametrize(
    ("logprob", "greedy", "expected"),
    [(RARE, "fog", False), (LIKELY, "fog", None), (RARE, "sea", None), (None, "fog", False)],
    ids=["unlikely", "likely by their logprobs", "the greedy text", "without logprobs"],
)
def test_eight_equal_samples(logprob: float | None, greedy: str, expected: bool | None) -> None:
    assert judged(["sea"] * SAMPLES, logprob, greedy) is expected


def test_samples_that_differ_are_right() -> None:
    assert judged(["sea", "fog"], LIKELY, "sea") is True


def choices(ids: list[list[int]] | None, tokens: list[str]) -> ChatResponse:
    """Choices whose text a parser of tool calls has left out, with their token ids, or without, and their tokens in logprobs."""
    shown: list[dict[str, object]] = [
        {"index": n, "message": {"content": None}, "finish_reason": "length", "logprobs": _logprobs(token)}
        for n, token in enumerate(tokens)
    ]
    return ChatResponse(
        "it", 1, {}, 200, {"choices": [one | {"token_ids": ids[n]} if ids else one for n, one in enumerate(shown)]}
    )


def _logprobs(token: str) -> dict[str, object]:
    return {"content": [{"token": token, "logprob": RARE}]}


@pytest.mark.parametrize(
    ("ids", "tokens", "expected"),
    [
        ([[1, 2], [1, 3]], ["<call>", "<call>"], True),
        (None, ["<call>", "<tool>"], True),
        ([[1, 2]] * SAMPLES, ["<call>"] * SAMPLES, False),
        (None, ["<call>"] * SAMPLES, False),
    ],
    ids=["other ids", "other tokens", "equal ids", "equal tokens"],
)
def test_choices_whose_text_was_left_out_are_compared_by_their_tokens(
    ids: list[list[int]] | None, tokens: list[str], expected: bool
) -> None:
    found = ChoicesDiffer().check(choices(ids, tokens), cast(Any, None))
    assert found is not None
    assert found.ok is expected


@pytest.mark.parametrize(("streamed", "equal"), [('{"a": 5}', True), ('{"a":5}', True), ('{"a": 6}', False)])
def test_ids_in_one_of_two_responses_say_nothing_of_the_other(streamed: str, equal: bool) -> None:
    whole, stream = (
        {"message": {"tool_calls": [{"function": {"name": "add", "arguments": one}}]}} for one in ('{"a": 5}', streamed)
    )
    first = ChatResponse("it", 0, {}, 200, {"choices": [{**whole, "token_ids": [1, 2]}]})
    other = ChatResponse("it", 1, {}, 200, {"choices": [stream]})
    assert [same_sample(first, other, by) for by in ("text", "token_ids")] == [equal, equal]
