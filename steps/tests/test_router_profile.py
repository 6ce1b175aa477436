"""What the profile `router` decides without a router: bounds, and what its backends return."""

import json

import pytest

from rollout_conformance.steps.engine.lenient_json import JsonObject
from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.peers import completion_responses
from rollout_conformance.steps.peers.event_framing import framed
from rollout_conformance.steps.profiles.chat.vocabulary import VOCABULARY as CHAT
from rollout_conformance.steps.profiles.router.load_balancing import bounds
from rollout_conformance.steps.profiles.router.vocabulary import VOCABULARY

BODY = {"messages": [{"role": "user", "content": "Hello!"}, {"role": "assistant", "content": "One two"}]}


@pytest.mark.parametrize(
    ("total", "share", "expected"),
    [(160, 0.9, (123, 159)), (40, 0.5, (5, 35)), (1, 0.5, (0, 1)), (0, 0.5, (0, 0)), (20, 1.0, (20, 20))],
)
def test_the_counts_that_a_share_allows(total: int, share: float, expected: tuple[int, int]) -> None:
    assert bounds(total, share) == expected


@pytest.mark.parametrize(
    ("more", "rest"),
    [
        ({"continue_final_message": True}, " three four."),
        ({}, "One two three four."),
        ({"continue_final_message": True, "messages": BODY["messages"][:1]}, "One two three four."),
    ],
)
def test_a_backend_resumes_where_the_request_ends(more: JsonObject, rest: str) -> None:
    asked = completion_responses.asked({**BODY, **more}, "/v1/chat/completions", "before")
    assert asked.rest("One two three four.") == rest


@pytest.mark.parametrize("spaces", ["before", "after"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions"])
def test_the_pieces_of_a_stream_are_its_text(path: str, spaces: str) -> None:
    asked = completion_responses.asked({"stream": True, "stream_options": {"include_usage": True}}, path, spaces)  # type: ignore[arg-type]
    pieces = framed(completion_responses.stream(asked, "One  two three.", {}))
    events = [piece.removeprefix(b"data: ").strip() for piece in pieces]
    assert events[-1] == b"[DONE]"
    parts = [part for event in events[:-1] for part in json.loads(event)["choices"]]
    assert "".join(part.get("text", part.get("delta", {}).get("content", "")) for part in parts) == "One  two three."
    assert json.loads(events[-2])["usage"]["completion_tokens"] == 3


def test_every_verb_about_a_router_is_used_by_a_shipped_case() -> None:
    text = "\n".join(file.read_text() for file in (ROOT / "scenarios" / "router").glob("*.yaml"))
    own = {verb.name for verb in VOCABULARY} - {verb.name for verb in CHAT}
    assert [verb for verb in sorted(own) if verb not in text] == []
