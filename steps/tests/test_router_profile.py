"""What the profile `router` decides without a router: bounds, numbers on a page, and what its engines say."""

import json

import pytest

from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.peers import completion_responses
from rollout_conformance.steps.profiles.chat.responses import ChatResponse
from rollout_conformance.steps.profiles.router import load_balancing, metrics, vocabulary

BODY = {"messages": [{"role": "user", "content": "Hello!"}, {"role": "assistant", "content": "One two"}]}


@pytest.mark.parametrize(
    ("total", "share", "bounds"),
    [(120, 0.9, (94, 118)), (40, 0.5, (8, 32)), (1, 0.5, (0, 1)), (0, 0.5, (0, 0)), (20, 1.0, (20, 20))],
)
def test_the_counts_that_a_share_allows(total: int, share: float, bounds: tuple[int, int]) -> None:
    assert load_balancing.bounds(total, share) == bounds


@pytest.mark.parametrize(
    ("page", "found"),
    [
        (b"# HELP x y\n# TYPE x counter\nx_total 3.0\n", {"x_total": 3.0}),
        (b'x{a="1",b="c d"} 2\nx{a="2"} 1e+06 1700000000\n', {'x{a="1",b="c d"}': 2.0, 'x{a="2"}': 1e6}),
        (b"x NaN\ny e\nz -\n{}\n", {}),
    ],
)
def test_a_page_of_numbers(page: bytes, found: dict[str, float]) -> None:
    assert metrics.samples(ChatResponse("it", 0, {}, 200, None, raw=page)) == found


@pytest.mark.parametrize(
    ("more", "rest"),
    [
        ({"continue_final_message": True}, " three four."),
        ({}, "One two three four."),
        ({"continue_final_message": True, "messages": BODY["messages"][:1]}, "One two three four."),
    ],
)
def test_an_engine_goes_on_where_it_is_asked_to(more: dict[str, object], rest: str) -> None:
    asked = completion_responses.asked({**BODY, **more}, "/v1/chat/completions", "before")
    assert asked.rest("One two three four.") == rest


@pytest.mark.parametrize("spaces", ["before", "after"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions"])
def test_the_pieces_of_a_stream_are_its_text(path: str, spaces: str) -> None:
    asked = completion_responses.asked({"stream": True, "stream_options": {"include_usage": True}}, path, spaces)  # type: ignore[arg-type]
    events = [
        event.removeprefix(b"data: ").strip() for event in completion_responses.stream(asked, "One  two three.", {})
    ]
    assert events[-1] == b"[DONE]"
    parts = [part for event in events[:-1] for part in json.loads(event)["choices"]]
    assert "".join(part.get("text", part.get("delta", {}).get("content", "")) for part in parts) == "One  two three."
    assert json.loads(events[-2])["usage"]["completion_tokens"] == 3


def test_every_verb_about_a_router_is_used_by_a_shipped_case() -> None:
    text = "\n".join(file.read_text() for file in (ROOT / "scenarios" / "router").glob("*.yaml"))
    own = {*vocabulary.ACTIONS, *vocabulary.EXPECTATIONS}
    assert [verb for verb in sorted(own) if verb not in text] == []
