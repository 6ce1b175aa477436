"""Pure decisions as truth tables: weights, buckets, affinity, order of backends, usage and resumed streams."""

import random
from typing import Any

import pytest

from rollout_conformance.rollout_server.common import sse
from rollout_conformance.rollout_server.router import (
    affinity,
    errors,
    planner,
    rate_limit,
    routing,
    stream_migration,
    usage,
    weighted_choice,
)
from rollout_conformance.rollout_server.router.backend_pool import Backend, create
from rollout_conformance.rollout_server.router.settings import BackendSpec
from rollout_conformance.rollout_server.router.stream_migration import NotResumableError, Progress


def backend(name: str, weight: float = 1, **state: Any) -> Backend:
    made = create(BackendSpec(name=name, url="http://h", weight=weight, models=("toy",)))
    for member, value in state.items():
        setattr(made, member, value)
    return made


@pytest.mark.parametrize(
    ("shares", "draw", "name"),
    [
        ((70, 30), 0.0, "0"),
        ((70, 30), 0.69, "0"),
        ((70, 30), 0.71, "1"),
        ((70, 30), 0.999, "1"),
        ((0, 1), 0.0, "1"),
        ((1, 0), 0.9999999, "0"),
        ((0, 0), 0.4, "0"),
        ((0, 0), 0.6, "1"),
    ],
)
def test_a_draw_falls_on_a_share(shares: tuple[float, ...], draw: float, name: str) -> None:
    assert weighted_choice.pick([backend(str(n), share) for n, share in enumerate(shares)], draw).name == name


def test_the_split_is_within_binomial_bounds() -> None:
    items = [backend("a", 70), backend("b", 30)]
    draws = random.Random(1)
    first = [weighted_choice.order(items, draws.random)[0].name for _ in range(2000)]
    assert abs(first.count("a") - 1400) < 5 * (2000 * 0.7 * 0.3) ** 0.5


@pytest.mark.parametrize(
    ("a", "b", "prefer", "expected"),
    [
        ({}, {}, None, [("a", "PRIMARY"), ("b", "FAILOVER")]),
        ({}, {}, "b", [("b", "AFFINITY"), ("a", "FAILOVER")]),
        ({}, {"degraded": True}, "b", [("a", "PRIMARY"), ("b", "FAILOVER")]),
        ({"up": False}, {}, None, [("b", "PRIMARY"), ("a", "FAILOVER")]),
        ({"up": False}, {"degraded": True}, None, [("a", "PRIMARY"), ("b", "FAILOVER")]),
        ({}, {}, "gone", [("a", "PRIMARY"), ("b", "FAILOVER")]),
    ],
)
def test_the_order_of_backends(a: Any, b: Any, prefer: str | None, expected: list[tuple[str, str]]) -> None:
    found = routing.choices([backend("a", **a), backend("b", **b)], prefer, lambda: 0.0)
    assert [(choice.backend.name, choice.decision) for choice in found] == expected


@pytest.mark.parametrize(
    ("status", "failed"),
    [(200, False), (204, False), (302, True), (400, False), (499, False), (500, True), (503, True)],
)
def test_failures_by_status(status: int, failed: bool) -> None:
    assert routing.is_failure(status) is failed


def test_a_bucket_admits_its_burst_and_no_more() -> None:
    bucket = rate_limit.full(rps=2, burst=3, now=0)
    taken = [bucket.take(0) for _ in range(4)]
    assert [one.allowed for one in taken] == [True, True, True, False]
    assert [one.remaining for one in taken] == [2, 1, 0, 0]
    assert (taken[3].limit, taken[3].retry_after) == (3, 1)


def test_frequent_requests_do_not_prevent_the_refill() -> None:
    bucket = rate_limit.full(rps=1, burst=1, now=0)
    allowed = sum(bucket.take(n / 50).allowed for n in range(500))
    assert 9 <= allowed <= 11


def test_a_clock_that_is_set_back_removes_no_tokens() -> None:
    bucket = rate_limit.full(rps=1, burst=2, now=10)
    assert bucket.take(10).remaining == bucket.peek(5).remaining == 1
    assert bucket.peek(11).remaining == 2


@pytest.mark.parametrize(("level", "rps", "seconds"), [(0, 1, 1), (0, 0.25, 4), (0.5, 0.25, 2), (0.99, 100, 1)])
def test_how_long_to_wait(level: float, rps: float, seconds: int) -> None:
    assert rate_limit.retry_after(level, rps) == seconds


def talk(*texts: str, model: str = "toy", tools: Any = None) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text} for text in texts], "tools": tools}


@pytest.mark.parametrize(
    ("body", "org", "found"),
    [
        (talk("a", "b"), "one", "x"),
        (talk("a", "b", "c"), "one", "x"),
        (talk("a"), "one", None),
        (talk("b", "a"), "one", None),
        (talk("a", "b", model="other"), "one", None),
        (talk("a", "b", tools=[1]), "one", None),
        (talk("a", "b"), "two", None),
        ({"model": "toy", "prompt": "a"}, "one", None),
    ],
)
def test_the_longest_known_prefix_is_found(body: dict[str, Any], org: str, found: str | None) -> None:
    known = affinity.Affinity(10)
    known.remember(affinity.boundaries("one", talk("a", "b")), "x")
    assert known.find(affinity.boundaries(org, body)) == found


@pytest.mark.parametrize(("letters", "found"), [(affinity.LONG, "x"), (affinity.LONG // 2, None)])
def test_a_long_beginning_is_remembered(letters: int, found: str | None) -> None:
    known = affinity.Affinity(10)
    known.remember(affinity.boundaries("one", talk("a" * letters, "b", "c")), "x")
    assert known.find(affinity.boundaries("one", talk("a" * letters, "d"))) == found


def test_the_least_recently_used_is_forgotten() -> None:
    known = affinity.Affinity(2)
    hashes = [affinity.boundaries("one", talk(text)) for text in "abc"]
    known.remember(hashes[0], "x")
    known.remember(hashes[1], "y")
    known.find(hashes[0])
    known.remember(hashes[2], "z")
    assert [known.find(one) for one in hashes] == ["x", None, "z"]


@pytest.mark.parametrize(
    ("running", "backends", "says"),
    [(0, 0, "scale_up"), (0, 1, "hold"), (8, 1, "scale_up"), (7, 1, "hold"), (6, 2, "scale_down"), (7, 2, "hold")],
)
def test_advice(running: int, backends: int, says: str) -> None:
    assert planner.plan(running, backends, 10)["advice"] == says


@pytest.mark.parametrize(
    ("failures", "status"),
    [([], 503), (["connect"], 503), (["timeout", "timeout"], 504), (["status"], 502), (["timeout", "connect"], 502)],
)
def test_the_error_when_all_backends_failed(failures: Any, status: int) -> None:
    assert errors.all_backends_failed(failures).status == status


STREAM = b'data: {"a": 1}\n\n: comment\r\n\r\nevent: x\ndata: 1\ndata: 2\n\ndata: [DONE]\n\n'


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_are_found_however_they_are_cut(size: int) -> None:
    splitter = sse.Splitter()
    found = [e for at in range(0, len(STREAM), size) for e in splitter.feed(STREAM[at : at + size])]
    assert b"".join(found) == STREAM
    assert [sse.data(event) for event in found] == [b'{"a": 1}', None, b"1\n2", b"[DONE]"]
    assert splitter.size == 0


FINAL = {"choices": [], "usage": {"prompt_tokens": 1}}
NULL: dict[str, Any] = {"choices": [{}], "usage": None}
EACH = {"choices": [{}], "usage": {"prompt_tokens": 1}}


@pytest.mark.parametrize(
    ("options", "migrates", "chunk", "seen"),
    [
        (None, False, FINAL, None),
        (None, False, NULL, {"choices": [{}]}),
        (None, True, EACH, {"choices": [{}]}),
        ({"include_usage": True}, False, FINAL, FINAL),
        ({"include_usage": True}, False, EACH, EACH),
        ({"include_usage": True}, True, EACH, {"choices": [{}]}),
        ({"include_usage": True}, True, NULL, NULL),
        ({"include_usage": True, "continuous_usage_stats": True}, True, EACH, EACH),
        ({"include_usage": False}, False, FINAL, None),
    ],
)
def test_usage_is_returned_if_requested(options: Any, migrates: bool, chunk: dict[str, Any], seen: Any) -> None:
    assert usage.visible_chunk(chunk, usage.options_of({"stream_options": options}, migrates)) == seen


def delta(content: str | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {"id": "x", "choices": [{"index": 0, "delta": {"content": content, **more}, "finish_reason": finish}]}


@pytest.mark.parametrize(
    ("chunk", "possible"),
    [
        (delta("a"), True),
        (delta("a", reasoning=""), True),
        (delta("a", reasoning="Hm"), False),
        (delta(tool_calls=[{}]), False),
        (delta(finish="stop"), False),
        ({"error": {}}, False),
    ],
)
def test_resumable_requests(chunk: dict[str, Any], possible: bool) -> None:
    progress = Progress()
    progress.update(chunk)
    assert progress.possible is possible


def test_a_continuation_asks_for_the_rest() -> None:
    progress = Progress(text="One two ", tokens=2)
    body = stream_migration.body({"messages": [1], "max_tokens": 5, "n": 1}, progress)
    assert body["messages"] == [1, {"role": "assistant", "content": "One two"}]
    assert (body["continue_final_message"], body["add_generation_prompt"], body["max_tokens"]) == (True, False, 3)
    with pytest.raises(NotResumableError):
        stream_migration.body({"messages": [], "max_tokens": 2}, progress)
    with pytest.raises(NotResumableError):
        stream_migration.body({"messages": [], "max_tokens": 2}, Progress(text="One"))
    assert stream_migration.body({"messages": []}, Progress()) == {"messages": []}


@pytest.mark.parametrize(
    ("contents", "merged_choice"), [([" ", "three"], "three"), ([" three"], "three"), (["", " th", "ree"], "three")]
)
def test_white_space_is_not_written_twice(contents: list[str], merged_choice: str) -> None:
    progress = Progress(text="One two ", tokens=2, head={"id": "first"})
    progress.next_backend()
    merged_chunk = [stream_migration.merged_chunk({**delta(text), "id": "second"}, progress) for text in contents]
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in merged_chunk if chunk) == merged_choice
    assert {chunk["id"] for chunk in merged_chunk if chunk} == {"first"}


def test_a_resumed_stream_must_repeat_the_trailing_space() -> None:
    progress = Progress(text="One\n")
    progress.next_backend()
    with pytest.raises(NotResumableError):
        stream_migration.merged_chunk(delta("two"), progress)
