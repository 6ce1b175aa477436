"""The order of the requests of one model, without a server."""

import itertools

import pytest

from rollout_conformance.rollout_server.training.lane import Lane

WAIT_S = 1.0


def run(lane: Lane) -> list[str]:
    """What runs now, without waiting."""
    taken = []
    while lane.delay() == 0:
        taken.append(lane.take())
    return taken


@pytest.mark.parametrize("arrivals", list(itertools.permutations((1, 2, 3))))
def test_numbers_run_in_order_whatever_the_arrival(arrivals: tuple[int, ...]) -> None:
    lane, ran = Lane(WAIT_S), []
    for seq in arrivals:
        lane.add(str(seq), seq)
        ran += run(lane)
    assert ran == ["1", "2", "3"]
    assert lane.delay() is None


def test_a_hole_holds_back_for_a_bounded_time() -> None:
    lane = Lane(WAIT_S)
    lane.add("2", 2)
    assert lane.delay() == WAIT_S
    lane.waited = 0.75
    assert lane.delay() == pytest.approx(0.25)
    lane.waited = 1.5
    assert run(lane) == ["2"]
    assert not lane.accepts(1)
    assert lane.waited == 0


def test_a_later_arrival_does_not_prolong_the_wait() -> None:
    lane = Lane(WAIT_S)
    lane.add("3", 3)
    lane.waited = 0.9
    lane.add("2", 2)
    assert lane.delay() == pytest.approx(0.1)


def test_the_number_of_a_refused_request_is_no_hole() -> None:
    lane = Lane(WAIT_S)
    lane.add("3", 3)
    lane.spend(1)
    assert lane.delay() == WAIT_S
    lane.spend(2)
    assert run(lane) == ["3"]


def test_requests_without_a_number_run_as_they_arrive() -> None:
    lane = Lane(WAIT_S)
    lane.add("first", None)
    lane.add("1", 1)
    lane.add("second", None)
    assert run(lane) == ["first", "1", "second"]


def test_a_cancelled_request_leaves_no_hole() -> None:
    lane = Lane(WAIT_S)
    lane.add("1", 1)
    lane.add("2", 2)
    assert lane.remove("1")
    assert not lane.remove("1")
    assert run(lane) == ["2"]


def test_after_a_restart_the_count_goes_on() -> None:
    lane = Lane(WAIT_S, last=4)
    assert not lane.accepts(4)
    lane.add("5", 5)
    assert run(lane) == ["5"]
