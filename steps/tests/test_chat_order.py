"""A stream is walked through the table of the contract: what is out of order is told with the state and with what was legal there."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout_conformance.contracts.chat.lifecycle import CHOICE, ENDED, NEW, STARTED
from rollout_conformance.contracts.lifecycle import advance
from rollout_conformance.steps.profiles.chat.event_order import walked
from rollout_conformance.steps.sse.streams import DONE, Chunk

DELTAS: dict[str, dict[str, Any]] = {
    "RoleSent": {"delta": {"role": "assistant", "content": ""}},
    "PartSent": {"delta": {"content": "a"}},
    "FinishSent": {"delta": {}, "finish_reason": "stop"},
}
USAGE: dict[str, Any] = {"choices": [], "usage": {"total_tokens": 1}}
ERROR: dict[str, Any] = {"error": {"message": "no more"}}


def said(event: str, index: int = 0) -> dict[str, Any]:
    return {"choices": [{"index": index, **DELTAS[event]}]}


ROLE, PIECE, END = said("RoleSent"), said("PartSent"), said("FinishSent")


def life(*data: Any) -> Any:
    return walked([Chunk(0.0, one) for one in data])


@pytest.mark.parametrize(
    ("data", "requirement", "told"),
    [
        (
            (PIECE, END, DONE),
            "CHAT-052",
            "chunk 0, choice 0: PartSent while NEW; legal for the inference server in NEW: RoleSent",
        ),
        ((ROLE, ROLE, END, DONE), "CHAT-052", "chunk 1, choice 0: RoleSent while STARTED"),
        (
            (ROLE, END, PIECE, DONE),
            "CHAT-051",
            "PartSent while ENDED; legal for the inference server in ENDED: nothing",
        ),
        ((ROLE, END, END, DONE), "CHAT-051", "FinishSent while ENDED"),
        (
            (ROLE, PIECE, DONE),
            "CHAT-051",
            "chunk 2: DoneSent while OPEN; legal for the inference server in OPEN: ChunkSent",
        ),
        ((ROLE, END, DONE, DONE), "CHAT-051", "chunk 3: DoneSent while DONE"),
        ((ROLE, END, DONE, USAGE), "CHAT-051", "chunk 3: UsageSent while DONE"),
        ((ROLE, USAGE, END, DONE), "CHAT-053", "chunk 1: UsageSent while OPEN"),
        (
            (ROLE, ERROR, PIECE),
            "CHAT-051",
            "chunk 2: ChunkSent while FAILED; legal for the inference server in FAILED: DoneSent",
        ),
    ],
)
def test_a_disorder_is_told_with_what_was_legal(data: tuple[Any, ...], requirement: str, told: str) -> None:
    found = life(*data)
    assert [name for name, _ in found.breaches] == [requirement], found.breaches
    assert told in found.breaches[0][1]


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        ((ROLE, END), "the stream ends in FINISHED; legal there: ChunkSent, DoneSent, ErrorSent, LastFinishSent"),
        ((ROLE, PIECE), "the stream ends in OPEN, choice 0 without a finish_reason; legal there: ChunkSent"),
        ((ROLE, ERROR, DONE), "the stream ends in FAILED, choice 0 without a finish_reason; legal there: DoneSent"),
        ((USAGE, DONE), "the stream ends in OPEN, without a choice"),
    ],
)
def test_a_stream_that_did_not_say_all_is_told_with_its_state(data: tuple[Any, ...], shown: str) -> None:
    found = life(*data)
    assert not found.ended
    assert found.shown().startswith(shown), found.shown()


@settings(max_examples=100, derandomize=True, database=None, deadline=None)
@given(st.data())
def test_any_walk_over_the_table_of_a_choice_is_in_order_whatever_stands_between(drawn: st.DataObject) -> None:
    """Choices side by side, each as its table has it; then, perhaps, usage; then the end."""
    states = dict.fromkeys(range(drawn.draw(st.integers(1, 3))), NEW)
    data: list[Any] = []
    while (open_ := [index for index, state in states.items() if state != ENDED]) and len(data) < 40:
        index = drawn.draw(st.sampled_from(open_))
        event = drawn.draw(st.sampled_from(sorted(CHOICE["inference server"][states[index]])))
        states[index] = str(advance(CHOICE, states[index], "inference server", event))
        data.append(said(event, index))
    data += [said("FinishSent", index) for index, state in states.items() if state == STARTED]
    data += [USAGE, DONE] if drawn.draw(st.booleans()) else [DONE]
    found = life(*data)
    assert found.breaches == []
    assert found.ended, found.shown()
