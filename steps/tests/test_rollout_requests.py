"""What a generation call forwards of its start request, in whichever form."""

from types import SimpleNamespace
from typing import Any

import pytest

from rollout_conformance.steps.engine.findings import Finding
from rollout_conformance.steps.profiles.rollout.invariants import generation_requests


def broken(check: Any, sampling: dict[str, Any], fields: dict[str, Any], dialect: str = "callback") -> set[str]:
    rollout = SimpleNamespace(dialect=dialect, given=SimpleNamespace(sampling=sampling))
    chat = SimpleNamespace(n=0, fields={"logprobs": True, **fields})
    return {one.requirement for one in check(rollout, chat) if isinstance(one, Finding)}


@pytest.mark.parametrize("name", ["n", "stream"])
def test_what_the_start_itself_asked_for_is_no_fault_of_the_server(name: str) -> None:
    assert broken(generation_requests._shape, {}, {name: 3}) == {"ROLLOUT-053"}
    assert broken(generation_requests._shape, {name: 3}, {name: 3}) == set()


@pytest.mark.parametrize("dialect", ["routed", "leased"])
def test_a_stream_is_legal_where_agents_request_one(dialect: str) -> None:
    assert broken(generation_requests._shape, {}, {"stream": True}, dialect) == set()
    assert broken(generation_requests._shape, {}, {"stream": True, "n": 2}, dialect) == {"ROLLOUT-053"}


@pytest.mark.parametrize(
    ("forwarded", "wanted"), [("x", set()), (["x"], set()), (["x", "y"], {"ROLLOUT-051"}), (None, {"ROLLOUT-051"})]
)
def test_one_stop_text_may_become_a_list_of_it(forwarded: Any, wanted: set[str]) -> None:
    assert broken(generation_requests._sampling, {"stop": "x"}, {"stop": forwarded}) == wanted


def test_a_member_that_a_generation_request_has_of_its_own_cannot_be_forwarded() -> None:
    start = SimpleNamespace(n=4)
    rollout = SimpleNamespace(given=SimpleNamespace(sampling={"rollout_id": "other"}), starts=(start,))
    chat = SimpleNamespace(n=7, fields={"logprobs": True, "rollout_id": "rc-1"})
    found = [one for one in generation_requests._sampling(rollout, chat) if isinstance(one, Finding)]  # type: ignore[arg-type]
    (finding,) = found
    assert finding.requirement == "ROLLOUT-036"
    assert finding.expected.startswith('the start request rejected: its sampling parameters have rollout_id "other"')
    assert 'the start accepted, rollout_id "rc-1" sent' in finding.observed
    assert (finding.exchanges, finding.shown_in) == ((7,), (4, 7))


def test_an_unknown_member_is_still_forwarded_or_rejected() -> None:
    rollout = SimpleNamespace(given=SimpleNamespace(sampling={"seed": 7}), starts=())
    chat = SimpleNamespace(n=7, fields={"logprobs": True, "seed": 8})
    found = [one for one in generation_requests._sampling(rollout, chat) if isinstance(one, Finding)]  # type: ignore[arg-type]
    assert [(one.expected, one.observed) for one in found] == [("seed: the value is 7", "seed: 8")]
