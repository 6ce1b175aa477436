"""JSON is read without rounding, and compared as far as JSON promises anything."""

from typing import Any

import pytest

from rollout_conformance.steps.engine.body_limits import Cut
from rollout_conformance.steps.engine.json_diff import first, show
from rollout_conformance.steps.engine.json_text import MOST_VALUES
from rollout_conformance.steps.engine.trace import NotJson, parse


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"n": 36893488147419103231}', {"n": 36893488147419103231}),
        (b'{"n": 0.30000000000000004440}', {"n": 0.30000000000000004}),
        (rb'"\ud800"', "\ud800"),
        (b"\xef\xbb\xbf[1]", [1]),
        (b"[" * 200 + b"]" * 200, eval("[" * 200 + "]" * 200)),  # noqa: S307
        (b'["' + b"[" * 300 + rb'\"\\"]', ["[" * 300 + '"\\']),
    ],
)
def test_a_body_is_read_as_it_stands(body: bytes, value: Any) -> None:
    assert parse(body) == value


@pytest.mark.parametrize(
    ("expected", "observed", "differ"),
    [
        (36893488147419103231, 3.6893488147419103e19, False),
        (2**53 + 1, 2**53 + 4, True),
        (10**400, 10**400 + 1, True),
        (3, 3.0, False),
        (1, True, True),
        (2**53 + 1, "9007199254740993", True),
    ],
)
def test_numbers_that_no_double_tells_apart_are_the_same(expected: Any, observed: Any, differ: bool) -> None:
    assert (first({"n": expected}, {"n": observed}) is not None) == differ


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"{", "Expecting property name enclosed in double quotes at 1"),
        (b"", "it is empty"),
        (b"<html>", "Expecting value at 0"),
        (b'{"text": "\xff"}', "not UTF-8: byte 0xff at 10"),
        (b'{"text": "\xed\xa0\x80"}', "not UTF-8: byte 0xed at 10"),  # a lone surrogate, which UTF-8 has not
        (b"[" * 201 + b"]" * 201, "nested deeper than 200 levels"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested deeper than 200 levels"),
        (b"[" * 100_000, "nested deeper than 200 levels"),
        (b'{"n": ' + b"9" * 1_000_000 + b"}", "a number of more than 4300 digits"),
        (b"[" + b"0," * MOST_VALUES + b"0]", "more than 2,000,000 values"),
        (b"[" + b"{}," * (MOST_VALUES // 2) + b"0]", "more than 2,000,000 values"),
        (Cut(b"[1]", "more than 64 MiB of body"), "more than 64 MiB of body"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_json_says_why(body: bytes, why: str) -> None:
    assert parse(body) == NotJson(why)
    assert show(parse(body)) == f"no JSON ({why})"


def test_what_cannot_be_written_as_json_is_shown_all_the_same() -> None:
    assert show([NotJson("it is empty"), {"a": 1}]) == '["no JSON (it is empty)",{"a":1}]'
    assert show(["\ud800", 10**400])[:12] == "['\\ud800', 1"


def test_two_long_values_are_cut_around_their_first_difference() -> None:
    expected, observed = "a" * 500 + "X" + "b" * 500, "a" * 500 + "Y" + "b" * 500
    difference = first({"text": expected}, {"text": observed})
    assert difference is not None
    left, right = difference.shown
    assert "aX" in left
    assert "aY" in right
    assert max(len(left), len(right)) < 200
