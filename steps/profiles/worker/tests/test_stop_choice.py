"""Stop texts that are taken from an output occur in it once, within the tokens that were asked for."""

import pytest

from rollout_conformance.steps.profiles.worker.events import Tokens, Transcript
from rollout_conformance.steps.profiles.worker.stop_choice import later_stop, stop_position, stop_within

TEXTS = ("Once", " upon", " a", " time", " there", "", "龙", " was", " one", " king")


@pytest.mark.parametrize("spans", [0, 1, 2, 3, 4])
def test_a_stop_text_has_the_span_that_was_asked_for(spans: int) -> None:
    stop = stop_within(TEXTS, spans)
    assert stop is not None
    shown = [text for text in TEXTS if text]
    at, count = stop_position(shown, stop) or (0, 0)
    begun = sum(len("".join(shown[:n])) <= at for n in range(1, len(shown) + 1))
    assert count - begun == max(1, spans)


def test_an_output_that_repeats_itself_has_none() -> None:
    assert stop_within(("a", "a", "a", "a", "a"), 1) is None


def test_a_later_stop_text_is_behind_the_first() -> None:
    stop = stop_within(TEXTS, 0)
    assert stop is not None
    later = later_stop(TEXTS, stop)
    joined = "".join(TEXTS)
    assert later is not None
    assert joined.find(later) >= joined.find(stop) + len(stop)


def test_the_position_counts_tokens_without_text() -> None:
    assert stop_position(("a", "", "b"), "b") == (1, 3)
    assert stop_position(("a", "b"), "c") is None


@pytest.mark.parametrize(
    ("events", "texts"),
    [
        ((Tokens(0, "龙", (1, 2, 3)), Tokens(1, "a", (4,))), ("", "", "龙", "a")),
        ((Tokens(0, "a", (1,)), Tokens(1, "", (2, 3))), ("a", "", "")),
        ((Tokens(0, "a", (1, 2)), Tokens(1, "b", (3,))), ("a", "b")),
        ((Tokens(0, "龙的", (1, 2)), Tokens(1, "b", None)), ("龙的", "b")),
    ],
)
def test_a_character_that_is_divided_between_tokens_is_the_last_of_them(
    events: tuple[Tokens, ...], texts: tuple[str, ...]
) -> None:
    assert Transcript(events).token_texts == texts
