"""Prompts continue the trajectory; where the template prevents that, the record has the drift and the mask stays right."""

from dataclasses import replace

import pytest

from rollout_conformance.rollout_server.common import chat_tokenizer
from rollout_conformance.rollout_server.common.chat_tokenizer import ChatTokenizer
from rollout_conformance.rollout_server.common.errors import ApiError
from rollout_conformance.rollout_server.common.settings import SHIPPED_TOKENIZER
from rollout_conformance.rollout_server.tests.trainer.support import CHAT_TOKENS, TOOLS, USER
from rollout_conformance.rollout_server.trainer import prompt, response_mask
from rollout_conformance.rollout_server.trainer.trajectory import Drift, Trajectory, Turn, extended, first_difference

STRIPPING = chat_tokenizer.load(SHIPPED_TOKENIZER.with_name("tokenizer_stripping"), "TOKENIZER")
REPLY = {"role": "assistant", "content": "Let me see.", "reasoning_content": "Five and three."}
NEXT = [USER, REPLY, {"role": "user", "content": "And?"}]


def one_turn(chat: ChatTokenizer, sampled: list[int] | None = None) -> Trajectory:
    """A trajectory of one turn; its reply was sampled canonically, or as these ids."""
    first = prompt.build(chat, Trajectory(), [USER], [USER], TOOLS)
    text = chat_tokenizer.sampled_text(chat, [USER], REPLY, TOOLS)
    ids = tuple(chat.encode(text) if sampled is None else sampled)
    turn = Turn(first.token_ids, ids, (-0.5,) * len(ids))
    return extended(Trajectory(), turn, first.text + text, first.inserted)


def lengths(chat: ChatTokenizer, past: Trajectory) -> list[int]:
    known = [USER, REPLY]
    return [*prompt.insertions(chat, past, prompt.build(chat, past, known, NEXT, TOOLS), known, TOOLS)]


def test_a_prompt_continues_the_sampled_tokens() -> None:
    past = one_turn(CHAT_TOKENS)
    built = prompt.build(CHAT_TOKENS, past, [USER, REPLY], NEXT, TOOLS)
    assert built.follows
    assert built.token_ids == (*past.token_ids, *built.inserted)
    assert list(built.token_ids) == CHAT_TOKENS.encode(CHAT_TOKENS.render(NEXT, TOOLS))
    assert len(set(lengths(CHAT_TOKENS, past))) == 1


def test_odd_ids_are_not_encoded_again_and_both_masks_are_right() -> None:
    text = chat_tokenizer.sampled_text(CHAT_TOKENS, [USER], REPLY, TOOLS)
    letters = [id for letter in text.removesuffix(CHAT_TOKENS.end_of_turn) for id in CHAT_TOKENS.encode(letter)]
    past = one_turn(CHAT_TOKENS, letters + CHAT_TOKENS.encode(CHAT_TOKENS.end_of_turn))
    built = prompt.build(CHAT_TOKENS, past, [USER, REPLY], NEXT, TOOLS)
    assert built.token_ids[: len(past.token_ids)] == past.token_ids
    inserted_ids, rendered = lengths(CHAT_TOKENS, past)
    assert inserted_ids > rendered


def test_a_template_that_drops_reasoning_is_a_drift() -> None:
    past = one_turn(STRIPPING)
    built = prompt.build(STRIPPING, past, [USER, REPLY], NEXT, TOOLS)
    assert not built.follows
    assert list(built.token_ids) == STRIPPING.encode(STRIPPING.render(NEXT, TOOLS))
    turn = Turn(built.token_ids, (7,), (-0.25,))
    after = extended(past, turn, built.text + "x", built.inserted)
    assert after.drift is not None
    assert (after.drift.turn, after.drift.seen) == (2, built.token_ids[after.drift.position])
    assert after.drift.expected == past.token_ids[after.drift.position]
    assert built.token_ids[: after.drift.position] == past.token_ids[: after.drift.position]
    # The trajectory is still what was sampled, with the inserted tokens between.
    assert after.token_ids == (*past.token_ids, *built.inserted, 7)
    assert after.response_mask == (*past.response_mask, *(0 for _ in built.inserted), 1)
    assert after.logprobs[-1] == -0.25
    assert STRIPPING.decode(built.inserted) == "\n<|im_start|>user\nAnd?<|im_end|>\n<|im_start|>assistant\n"


def test_only_the_first_drift_is_kept() -> None:
    past = Trajectory(token_ids=(1, 2, 3), turns=(Turn((1,), (2, 3), (-0.1, -0.1)),))
    once = extended(past, Turn((1, 9, 3, 4), (5,), (-0.1,)), "", (4,))
    twice = extended(once, Turn((8,), (6,), (-0.1,)), "", ())
    assert once.drift == twice.drift == Drift(turn=2, position=1, expected=2, seen=9)
    assert extended(past, Turn((1, 2, 3, 4), (5,), (-0.1,)), "", ()).drift is None


@pytest.mark.parametrize(
    ("prompt_ids", "drift"),
    [((1, 2, 3, 4), None), ((1, 2, 3), None), ((1, 2), Drift(1, 2, 3, None)), ((), Drift(1, 0, 1, None))],
)
def test_where_a_prompt_leaves(prompt_ids: tuple[int, ...], drift: Drift | None) -> None:
    assert first_difference(Trajectory(token_ids=(1, 2, 3)), prompt_ids) == drift


def test_a_mask_is_right_in_one_of_two_readings() -> None:
    response_mask.check([0, 0], [2, 3], turns=1)
    response_mask.check([0, 0, 0], [2, 3], turns=1)
    with pytest.raises(ApiError) as refused:
        response_mask.check([0], [3, 2, -4], turns=1)
    assert "each of the 2 or 3 inserted tokens, and there are 1" in refused.value.message


def test_a_sampled_turn_without_its_end_leaves_the_end_to_the_prompt() -> None:
    whole = one_turn(CHAT_TOKENS)
    cut = Turn(whole.turns[0].prompt_token_ids, whole.turns[0].token_ids[:-1], whole.turns[0].logprobs[:-1])
    text = whole.text.removesuffix(CHAT_TOKENS.end_of_turn)
    past = extended(Trajectory(), cut, text, cut.prompt_token_ids)
    built = prompt.build(CHAT_TOKENS, past, [USER, REPLY], NEXT, TOOLS)
    assert built.follows
    assert built.inserted[0] == whole.token_ids[-1]


def test_a_lone_surrogate_becomes_the_replacement_character() -> None:
    text = CHAT_TOKENS.render([{"role": "user", "content": "\ud800"}])
    assert CHAT_TOKENS.decode(CHAT_TOKENS.encode(text)) == text
    assert "?" in text


def test_the_trajectory_is_a_value() -> None:
    past = one_turn(CHAT_TOKENS)
    assert replace(past) == past
