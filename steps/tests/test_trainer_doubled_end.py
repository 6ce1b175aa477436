"""The end-of-turn token of a turn in the prompt of the next one (TRAINER-313)."""

from typing import Any

import pytest

from rollout_conformance.steps.engine.findings import Finding, Satisfied
from rollout_conformance.steps.profiles.trainer.invariants.doubled_end import doubled_ends
from rollout_conformance.steps.profiles.trainer.state import CaseView
from rollout_conformance.steps.tests.test_trainer_profile import TOKENS, reply, view
from rollout_conformance.steps.tests.trainer_traces import several

END = TOKENS.encode("<|im_end|>")
FIRST = TOKENS.encode("<|im_start|>user\nFive plus three?<|im_end|>\n<|im_start|>assistant\n")
SAMPLED = [*TOKENS.encode("Eight."), *END]
NEXT = TOKENS.encode("\n<|im_start|>user\nThanks.<|im_end|>\n<|im_start|>assistant\n")


def verdicts(case: CaseView) -> list[type]:
    assert all(one.requirement == "TRAINER-313" for one in doubled_ends(case))
    return [type(one) for one in doubled_ends(case)]


def generations(inserted: list[int], sampled: list[int] = SAMPLED, dialect: str = "sync", **request: Any) -> CaseView:
    """Two generations of one rollout, with these ids between what was sampled and the next generation."""
    first = {"prompt_token_ids": FIRST, "token_ids": sampled}
    second = {"prompt_token_ids": [*FIRST, *sampled, *inserted], "token_ids": sampled}
    answers = [{"choices": [], **ids} for ids in (first, second)]
    return several(dialect, [(200, answers[0], {}), (200, answers[1], request)])


def turns(inserted: list[int], **more: Any) -> CaseView:
    """A record with the same two turns."""
    second = [*FIRST, *SAMPLED, *inserted]
    line = [{"prompt_token_ids": FIRST, "token_ids": SAMPLED}, {"prompt_token_ids": second, "token_ids": SAMPLED}]
    return view(reply(), record={"turns": line} | more)


def test_a_token_that_was_sampled_and_inserted_is_found_in_generations_and_in_the_record() -> None:
    assert verdicts(generations([*END, *NEXT])) == [Finding]
    assert verdicts(turns([*END, *NEXT])) == [Finding]


def test_each_branch_of_a_record_is_read() -> None:
    line = {"turns": [{"prompt_token_ids": FIRST, "token_ids": SAMPLED}]}
    line["turns"].append({"prompt_token_ids": [*FIRST, *SAMPLED, *END, *NEXT], "token_ids": SAMPLED})
    assert verdicts(turns(NEXT, branches=[line])) == [Finding]


def test_one_token_is_right() -> None:
    assert verdicts(generations(NEXT)) == [Satisfied]
    assert verdicts(turns(NEXT)) == [Satisfied]


def test_a_turn_without_an_end_gets_one() -> None:
    assert verdicts(generations([*END, *NEXT], sampled=TOKENS.encode("Eight."))) == []


def test_another_token_that_ended_the_turn_is_followed_by_that_of_the_template() -> None:
    ended = [*TOKENS.encode("Eight."), *TOKENS.encode("<|endoftext|>")]
    assert verdicts(generations([*END, *NEXT], sampled=ended)) == [Satisfied]


def test_a_message_with_the_text_of_the_token_has_it_twice() -> None:
    history = [{"role": "assistant", "content": "Eight.<|im_end|>"}]
    assert verdicts(generations([*END, *NEXT], messages=history)) == []


@pytest.mark.parametrize("broken", [{"prompt_token_ids": "none"}, {"token_ids": [None, True, -1]}, {"token_ids": {}}])
def test_what_are_no_ids_decides_nothing(broken: dict[str, Any]) -> None:
    first = {"choices": [], "prompt_token_ids": FIRST, "token_ids": SAMPLED, **broken}
    second = {"choices": [], "prompt_token_ids": [*FIRST, *SAMPLED, *END], "token_ids": []}
    assert Finding not in verdicts(several("sync", [(200, first, {}), (200, second, {})]))


def test_generations_of_the_dialect_callback_have_no_ids() -> None:
    assert verdicts(generations([*END, *NEXT], dialect="callback")) == []
