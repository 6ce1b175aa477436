"""What counts as changed on its way through a router, and how severely."""

from typing import Any

import pytest

from rollout_conformance.steps.engine.json_diff import ABSENT
from rollout_conformance.steps.engine.lateness import Lateness
from rollout_conformance.steps.engine.trace import NotJson
from rollout_conformance.steps.http.responses import KeptResponse
from rollout_conformance.steps.profiles.router.json_changes import changes, harmless


@pytest.mark.parametrize(
    ("expected", "observed", "found"),
    [
        ({"a": 0}, {"a": 0.0, "b": 1}, []),
        ({"a": 0}, {"a": False}, ["a"]),
        ({"seed": 9007199254740993}, {"seed": 9007199254740992}, ["seed"]),
        ({"a": {"b": [1, {"c": None}]}}, {"a": {"b": [1, {}]}}, ["a.b[1].c"]),
        ({"a": [1, 2]}, {"a": [1]}, ["a"]),
        ({"a": None}, {}, ["a"]),
    ],
)
def test_where_two_values_differ(expected: Any, observed: Any, found: list[str]) -> None:
    assert [change.path for change in changes(expected, observed)] == found


@pytest.mark.parametrize(
    ("sent", "only_null", "is_harmless"),
    [
        ({"a": None}, True, False),
        ({"a": 1}, False, False),
        ({"a": 10**29}, False, True),
        ({"metadata": {"a": 1}}, False, True),
        ({"seed": 2**53 + 1}, False, False),
    ],
)
def test_which_lost_members_are_harmless(sent: Any, only_null: bool, is_harmless: bool) -> None:
    (change,) = changes(sent, {})
    assert (change.observed, change.only_null, harmless(change)) == (ABSENT, only_null, is_harmless)


def test_a_response_is_shown_whatever_it_is() -> None:
    assert KeptResponse("a", 0, {}, 404, NotJson("it is HTML"), raw=b"<html>").shown() == '404: "<html>"'
    assert KeptResponse("a", 0, {}, 404, None).shown() == "404: no body"
    assert KeptResponse("a", 0, {}, 429, {"detail": "no"}).shown() == '429: {"detail":"no"}'


@pytest.mark.parametrize(
    ("body", "explained"),
    [
        ({"error": {"message": "x"}}, True),
        ({"detail": [{"msg": "x"}]}, True),
        ({"title": "x"}, True),
        ({}, False),
        ([], False),
    ],
)
def test_an_error_is_explained_by_any_of_several_members(body: Any, explained: bool) -> None:
    assert KeptResponse("a", 0, {}, 400, body).explains_error is explained


def test_only_what_came_late_is_counted() -> None:
    lateness = Lateness()
    lateness.note(1.0, 1.05)
    lateness.note(2.0, 2.5)
    lateness.note(3.0, 4.5)
    assert (lateness.since(0.0), lateness.since(3.0), lateness.since(5.0)) == (2.0, 1.5, 0)
