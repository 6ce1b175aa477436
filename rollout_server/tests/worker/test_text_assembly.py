"""Text from the bytes of tokens, however these are split."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout_conformance.rollout_server.worker.text_assembly import TextAssembly

TEXTS = st.text(alphabet="abcé日🎉", max_size=12)


def assembled(pieces: list[bytes], *stops: str, keep_stop: bool = False) -> tuple[str, str | None]:
    text, shown = TextAssembly(stops, keep_stop=keep_stop), ""
    for piece in pieces:
        shown += text.add(piece)
        if text.matched is not None:
            return shown, text.matched
    return shown + text.flush(), None


def split(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces = []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    return [*pieces, data]


@given(TEXTS, st.lists(st.integers(0, 3), max_size=12))
def test_any_split_gives_the_text(text: str, sizes: list[int]) -> None:
    assert assembled(split(text.encode(), sizes)) == (text, None)


@given(TEXTS, st.text(alphabet="abcé日🎉", min_size=1, max_size=3), st.lists(st.integers(0, 3), max_size=12))
def test_a_stop_text_is_found_in_any_split(text: str, stop: str, sizes: list[int]) -> None:
    before, found, _ = text.partition(stop)
    assert assembled(split(text.encode(), sizes), stop) == (before, found or None)


@pytest.mark.parametrize(("keep", "shown"), [(False, "a"), (True, "abc")])
def test_a_stop_text_is_cut_or_kept(keep: bool, shown: str) -> None:
    assert assembled([b"ab", b"cd"], "bc", keep_stop=keep) == (shown, "bc")


def test_the_stop_text_that_begins_first_wins() -> None:
    assert assembled([b"abcd"], "cd", "bc") == ("a", "bc")
    assert assembled([b"abcd"], "bc", "bcd") == ("a", "bc")


def test_bytes_that_are_no_text_are_left_out_or_replaced() -> None:
    assert assembled([b"a\xffb", b"\xe6\x97"]) == ("ab", None)
    assert TextAssembly(keep_invalid=True).add(b"a\xffb") == "a\N{REPLACEMENT CHARACTER}b"
