"""Where a penalty has to change a token, by the logprobs without it; everywhere else nothing is decided."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from rollout_conformance.steps.profiles.chat.expectations.token_weights import FirstTokenBanned, PenaltyHasEffect
from rollout_conformance.steps.profiles.chat.responses import ChatResponse


def entry(token: str, logprob: float, **others: float) -> dict[str, Any]:
    alternatives = [{"token": name, "logprob": value} for name, value in others.items()]
    return {"token": token, "logprob": logprob, "top_logprobs": [{"token": token, "logprob": logprob}, *alternatives]}


def response(entries: list[dict[str, Any]], status: int = 200, **request: Any) -> ChatResponse:
    choice = {"index": 0, "message": {"content": ""}, "logprobs": {"content": entries}, "token_ids": [7, 8]}
    asked = {"messages": [{"role": "user", "content": "Say moon."}], **request}
    return ChatResponse("it", 1, asked, status, {"choices": [choice]})


def judged(plain: list[dict[str, Any]], other: list[dict[str, Any]], **request: Any) -> bool | None:
    view = cast(Any, SimpleNamespace(named=lambda *_: [response(plain)]))
    found = PenaltyHasEffect(like="plain").check(response(other, **request), view)
    return None if found is None else found.ok


PLAIN = [entry("sea", -0.1), entry("sea", -0.5, sky=-1.0)]


@pytest.mark.parametrize("name", ["presence_penalty", "frequency_penalty"])
def test_a_repeated_token_has_to_give_way(name: str) -> None:
    assert judged(PLAIN, PLAIN, **{name: 2}) is False
    assert judged(PLAIN, [PLAIN[0], entry("sky", -1.0)], **{name: 2}) is True
    assert judged(PLAIN, [entry("fog", -1.0), PLAIN[1]], **{name: 2}) is True


@pytest.mark.parametrize(
    "second",
    [
        entry("sea", -0.1, sky=-3.0),  # less likely by more than the penalty
        entry("sea", -0.1, sky=-1.9),  # by nearly as much: within what batches change
        entry("sea", -0.1, moon=-0.5),  # in the prompt, which some servers count
        entry("sky", -0.1, fog=-0.5),  # not repeated
    ],
)
def test_what_the_penalty_need_not_change_decides_nothing(second: dict[str, Any]) -> None:
    plain = [entry("sea", -0.1), second]
    assert judged(plain, plain, presence_penalty=2) is None


def test_frequencies_add_up() -> None:
    plain = [entry("sea", -0.1)] * 3 + [entry("sea", -0.1, sky=-5.0)]
    assert judged(plain, plain, presence_penalty=2) is None
    assert judged(plain, plain, frequency_penalty=2) is False


def test_a_rejection_is_right() -> None:
    view = cast(Any, SimpleNamespace(named=lambda *_: [response(PLAIN)]))
    for expectation in (PenaltyHasEffect(like="plain"), FirstTokenBanned(like="plain")):
        found = expectation.check(response([], 400), view)
        assert found is not None
        assert found.ok


def test_a_banned_first_token() -> None:
    view = cast(Any, SimpleNamespace(named=lambda *_: [response(PLAIN)]))
    found = FirstTokenBanned(like="plain").check(response(PLAIN), view)
    assert found is not None
    assert not found.ok


def test_tokens_that_are_not_shown_may_be_the_repeated_ones() -> None:
    shown = response(PLAIN)
    hidden = replace(shown, body={**cast(Any, shown.body), "usage": {"completion_tokens": len(PLAIN) + 3}})
    penalized = response(PLAIN, presence_penalty=2)
    for plain, decided in ((shown, True), (hidden, False)):
        view = cast(Any, SimpleNamespace(named=lambda *_, plain=plain: [plain]))
        assert (PenaltyHasEffect(like="plain").check(penalized, view) is not None) is decided
