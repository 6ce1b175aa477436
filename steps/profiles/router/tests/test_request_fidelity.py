"""What the client sent is compared with every request at a backend."""

import json
from typing import Any, cast

import pytest

from rollout_conformance.steps.engine.findings import Finding
from rollout_conformance.steps.engine.trace import Request, Trace
from rollout_conformance.steps.peers.scripted_backends import BackendResponse, BackendScript
from rollout_conformance.steps.profiles.chat.view import CaseView
from rollout_conformance.steps.profiles.router.card import RouterCard
from rollout_conformance.steps.profiles.router.context import RouterContext
from rollout_conformance.steps.profiles.router.request_fidelity import lost_members, reordered, requests_unmodified

NONCE = "rc-00000000-1x"
FAILS = BackendResponse(status=503)
BODY: dict[str, Any] = {
    "messages": [{"role": "user", "content": NONCE}],
    "seed": 2**53 + 1,
    "tools": [{"z": 0, "a": {}}],
}


def request(body: Any, path: str = "/v1/chat/completions") -> Request:
    return Request("POST", path, (), body if isinstance(body, bytes) else json.dumps(body).encode())


def found(*received: Any, first: BackendResponse = FAILS, sent: tuple[Any, ...] = (BODY,)) -> list[tuple[str, str]]:
    return [(one.requirement, one.observed) for one in findings(*received, first=first, sent=sent)]


def findings(
    *received: Any,
    first: BackendResponse = FAILS,
    sent: tuple[Any, ...] = (BODY,),
    capabilities: tuple[str, ...] = (),
) -> list[Finding]:
    trace = Trace()
    for body in sent:
        trace.open(request(body), to_target=True)
    script = BackendScript(NONCE, trace, (first, BackendResponse()))
    for body in received:
        script.take("a", request(body))
    context = RouterContext("m", None, None, RouterCard.model_validate({"capabilities": list(capabilities)}), 4096)
    view = cast(CaseView, type("View", (), {"trace": trace, "extra": {"scripts": [script]}, "context": context}))
    return [one for one in requests_unmodified(view) if isinstance(one, Finding)]


def test_each_attempt_is_compared() -> None:
    assert found(BODY, BODY) == []
    ((requirement, observed),) = found(BODY, {**BODY, "seed": 2**53})
    assert (requirement, observed) == ("ROUTER-001", "seed: 9007199254740992 (request 2 to the backends, at backend a)")


def test_a_body_that_is_no_longer_json_is_reported() -> None:
    ((requirement, observed),) = found(BODY, json.dumps(BODY).encode()[:-9])
    assert requirement == "ROUTER-001"
    assert "no JSON" in observed


@pytest.mark.parametrize(
    "invalid", [json.dumps(BODY).encode() + b" {}", json.dumps(NONCE).encode(), b"[1, " + NONCE.encode()]
)
def test_a_text_that_is_forwarded_as_it_is_has_lost_nothing(invalid: bytes) -> None:
    """A proxy that does not read bodies: that it forwards an invalid one is a requirement of its own (ROUTER-012)."""
    assert found(invalid, BODY, sent=(invalid, BODY)) == []
    ((requirement, _),) = found(invalid[:-1], BODY, sent=(invalid, BODY))
    assert requirement == "ROUTER-001"


@pytest.mark.parametrize(
    ("sent", "received"), [("max_tokens", "max_completion_tokens"), ("max_completion_tokens", "max_tokens")]
)
def test_a_limit_of_tokens_by_its_other_name_is_a_should(sent: str, received: str) -> None:
    body = {**BODY, sent: 256}
    (renamed,) = findings({**BODY, received: 256}, sent=(body,))
    assert (renamed.cap, renamed.observed) == ("should", f"{received}: 256 instead")
    (changed,) = findings({**BODY, received: 255}, sent=(body,))
    assert (changed.cap, changed.observed) == (None, f"{sent}: absent")
    (both,) = findings({**BODY, received: 256, "seed": 1}, sent=(body,))
    assert (both.cap, both.observed) == (None, "seed: 1")


def test_the_rest_of_an_interrupted_stream_is_requested_in_another_way() -> None:
    assert found(BODY, {"messages": [NONCE]}, first=BackendResponse(reset_after=2)) == []


def test_the_order_of_members_is_a_requirement_of_its_own() -> None:
    ((requirement, observed),) = found({**BODY, "tools": [{"a": {}, "z": 0}]})
    assert (requirement, observed) == ("ROUTER-067", 'tools[0] with the members ["a", "z"]')


@pytest.mark.parametrize(
    ("sent", "received", "paths"),
    [
        ({"stream": False}, {}, []),
        ({"stream": True}, {}, ["stream"]),
        ({"logprobs": False}, {}, ["logprobs"]),
        ({"model": "a", "user": "b", "stream_options": {}}, {}, []),
        ({"a": {"model": 1}}, {"a": {}}, ["a.model"]),
    ],
)
def test_what_counts_as_lost(sent: Any, received: Any, paths: list[str]) -> None:
    assert [one.path for one in lost_members(sent, received)] == paths


def test_members_may_be_added_at_any_place() -> None:
    assert list(reordered({"a": 1, "b": {"c": 1, "d": 2}}, {"a": 1, "x": 0, "b": {"c": 1, "y": 0, "d": 2}}, "t")) == []


SAMPLED = {**BODY, "temperature": 0.7, "max_tokens": 9}


def test_sampling_parameters_that_a_router_imposes_are_declared() -> None:
    imposed = {**SAMPLED, "temperature": 0.2, "seed": 1}
    (one,) = findings(imposed, sent=(SAMPLED,))
    assert "`no_request_sampling`" in one.hint
    assert findings(imposed, sent=(SAMPLED,), capabilities=("no_request_sampling",)) == []


def test_what_else_such_a_router_changes_is_found() -> None:
    changed = {**SAMPLED, "temperature": 0.2, "tools": []}
    (undeclared,) = findings(changed, sent=(SAMPLED,))
    assert undeclared.hint == ""
    (one,) = findings(changed, sent=(SAMPLED,), capabilities=("no_request_sampling",))
    assert one.observed.startswith("tools")


OPTIONS = {"stream_options": {"include_usage": True}}
STREAM = {**BODY, "stream": True}


def test_stream_options_are_added_to_streams_only() -> None:
    ((requirement, observed),) = found({**BODY, **OPTIONS})
    assert (requirement, observed) == ("ROUTER-073", 'stream_options: {"include_usage":true}')


MORE = {**STREAM, "stream_options": {"include_usage": False, "include_obfuscation": False}}


def test_the_other_members_of_stream_options_are_kept() -> None:
    ((requirement, observed),) = found({**STREAM, **OPTIONS}, sent=(MORE,))
    assert (requirement, observed) == ("ROUTER-001", "stream_options.include_obfuscation: absent")


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        (STREAM, {**STREAM, **OPTIONS}),
        (MORE, {**STREAM, "stream_options": {"include_usage": True, "include_obfuscation": False}}),
        (
            {**STREAM, "stream_options": {"continuous_usage_stats": False}},
            {**STREAM, "stream_options": {"continuous_usage_stats": True, "include_usage": True}},
        ),
        ({**BODY, **OPTIONS}, {**BODY, **OPTIONS}),
        (BODY, {**BODY, "stream_options": None}),
        (BODY, {**BODY, "stream": False}),
    ],
    ids=["of a stream", "counted", "counted in each chunk", "of the client", "null", "none"],
)
def test_other_stream_options_are_no_finding(sent: Any, received: Any) -> None:
    assert found(received, sent=(sent,)) == []
