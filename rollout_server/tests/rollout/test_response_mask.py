"""The response mask: from numbers alone, and in a whole rollout."""

import asyncio

import pytest

from rollout_conformance.rollout_server.rollout import response_mask
from rollout_conformance.rollout_server.rollout.errors import RolloutError
from rollout_conformance.rollout_server.rollout.response_mask import Turn
from rollout_conformance.rollout_server.tests.rollout.support import TOKENIZER, Trainer, call, reply, serve, tokenizer

MASKS = [
    ("nothing was sampled yet", None, 100, None),
    ("tool result, scaffolding and generation prompt", Turn(100, 100, 20), 150, [0] * 30),
    ("one token was inserted", Turn(100, 100, 20), 121, [0]),
    ("nothing was inserted", Turn(100, 100, 20), 120, None),
    ("the trainer's own prompt length does not matter", Turn(100, 170, 20), 150, [0] * 30),
]


@pytest.mark.parametrize(("last", "prompt", "expected"), [m[1:] for m in MASKS], ids=[m[0] for m in MASKS])
def test_mask(last: Turn | None, prompt: int, expected: list[int] | None) -> None:
    assert response_mask.mask_for(last, prompt) == expected


def test_a_conversation_that_shrank_has_no_mask() -> None:
    with pytest.raises(RolloutError) as caught:
        response_mask.mask_for(Turn(100, 100, 20), 119)
    assert caught.value.category == "conversation_state"


ALIGNMENTS = [
    ("the first turn", None, Turn(100, 130, 5), True),
    ("a constant difference: the tools", Turn(100, 130, 5), Turn(150, 180, 5), True),
    ("the trainer's prompt grew more", Turn(100, 130, 5), Turn(150, 181, 5), False),
    ("the trainer's prompt grew less", Turn(100, 130, 5), Turn(150, 179, 5), False),
]


@pytest.mark.parametrize(("last", "now", "good"), [a[1:] for a in ALIGNMENTS], ids=[a[0] for a in ALIGNMENTS])
def test_alignment(last: Turn | None, now: Turn, good: bool) -> None:
    if good:
        response_mask.check_alignment(last, now)
    else:
        with pytest.raises(RolloutError):
            response_mask.check_alignment(last, now)


def test_zeros_and_sampled_tokens_add_up_to_the_last_prompt() -> None:
    """Three turns; the mask covers all that was inserted and none that was sampled."""
    lengths, sampled = [], 5
    trainer = Trainer([reply("", call(), tokens=sampled), reply("", call(id="call_2"), tokens=sampled), reply()])
    asyncio.run(serve(trainer).sync())
    for asked in trainer.asked:
        lengths.append(tokenizer().count(tokenizer().render(asked["messages"])))
    masks = [asked["response_mask"] for asked in trainer.asked]
    assert masks[0] is None
    assert [len(m) for m in masks[1:]] == [lengths[1] - lengths[0] - sampled, lengths[2] - lengths[1] - sampled]
    assert {value for m in masks[1:] for value in m} == {0}


def test_a_reply_longer_than_its_message_ends_in_error_and_sends_no_mask() -> None:
    trainer = Trainer([reply("", call(), tokens=500)])
    result = asyncio.run(serve(trainer).sync())
    assert result["extra_fields"]["error_category"] == "conversation_state"
    assert len(trainer.asked) == 1
    assert [m["role"] for m in result["final_messages"]] == ["user", "assistant", "tool"]


def test_prompts_that_drift_apart_end_in_error() -> None:
    trainer = Trainer([reply("", call()), reply(prompt_token_ids=[1, 2, 3])])
    result = asyncio.run(serve(trainer).sync(tokenizer_name=TOKENIZER))
    assert result["status"] == "ERROR"
    assert result["extra_fields"]["error_category"] == "conversation_state"
