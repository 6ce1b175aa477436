"""JSON is read without rounding, and compared as far as JSON promises anything."""

from typing import Any

import pytest

from steps.engine.compare import first
from steps.engine.trace import NOT_JSON, parse


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"n": 36893488147419103231}', {"n": 36893488147419103231}),
        (b'{"n": 0.30000000000000004440}', {"n": 0.30000000000000004}),
        (rb'"\ud800"', "\ud800"),
        (b"{", NOT_JSON),
    ],
)
def test_a_body_is_read_as_it_stands(body: bytes, value: Any) -> None:
    assert parse(body) == value


@pytest.mark.parametrize(
    ("said", "saw", "differ"),
    [
        (36893488147419103231, 3.6893488147419103e19, False),
        (2**53 + 1, 2**53 + 4, True),
        (10**400, 10**400 + 1, True),
        (3, 3.0, False),
        (1, True, True),
        (2**53 + 1, "9007199254740993", True),
    ],
)
def test_numbers_that_no_double_tells_apart_are_the_same(said: Any, saw: Any, differ: bool) -> None:
    assert (first({"n": said}, {"n": saw}) is not None) == differ
