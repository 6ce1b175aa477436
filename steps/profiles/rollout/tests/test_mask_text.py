"""What a wrong response mask is called leads to the mask in the request, and to how far it is from a right one."""

from rollout_conformance.steps.engine.excerpt import Clues, accused
from rollout_conformance.steps.profiles.rollout.invariants.mask import _wrong_length


def test_a_mask_of_another_length_says_how_far_it_is_from_a_right_one() -> None:
    assert _wrong_length(13, {14}) == "response_mask of 13 entries, 1 too few"
    assert _wrong_length(9, {4, 15}) == "response_mask of 9 entries, 5 too many"
    assert _wrong_length(14, {4, 15}) == "response_mask of 14 entries, 1 too few"


def test_the_mask_is_the_accused_member() -> None:
    body = {"messages": [{"role": "user", "content": "14 zeros"}], "response_mask": [0] * 13}
    assert accused(body, Clues.of("14 zeros: what was inserted", _wrong_length(13, {14}))) == [("response_mask",)]
