"""What passes a recorder of rollouts, as a scenario: every dialect, every kind of response, and what no scenario can hold."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from rollout_conformance.steps.engine import yaml_source
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.trace import Request, Response
from rollout_conformance.steps.peers.reverse_proxy import LEFT, Passed
from rollout_conformance.steps.profiles.recording import Recorded
from rollout_conformance.steps.profiles.rollout.profile import PROFILE
from rollout_conformance.steps.profiles.rollout.recording.recorder import RolloutRecorder
from rollout_conformance.steps.profiles.rollout.start_request import START_PATH
from rollout_conformance.steps.scenario import loader
from rollout_conformance.steps.scenario.document_text import text_of

MESSAGES = [{"role": "user", "content": "Please calculate 5 plus 3."}]
TRAINER = "http://trainer:8000/v1"
SYNC = {"rollout_id": "r", "server_url": TRAINER, "messages": MESSAGES, "sampling_params": {}, "tokenizer_name": "t"}
STARTS: Mapping[str, dict[str, Any]] = {
    "sync": SYNC,
    "callback": {"rollout_id": "r", "server_url": f"{TRAINER}/", "messages": MESSAGES, "completion_params": {}},
    "routed": {
        "initial_messages": MESSAGES,
        "chat_completions_url": TRAINER,
        "completion_callback_url": f"{TRAINER}/done",
    },
    "leased": {"rollout_id": "r", "initial_messages": MESSAGES, "chat_completions_url": TRAINER},
}
ENDED = [*MESSAGES, {"role": "assistant", "content": "8"}]
SAYS_8 = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "8"}, "finish_reason": "stop"}]}


class Wire:
    """Both ends of a recorder, without a network."""

    def __init__(self) -> None:
        self.recorder = RolloutRecorder("http://server:9000/")
        self.recorder.own_url = "http://recorder:1"

    def passes(self, path: str, body: Any = None, status: int | None = 200, answer: Any = None, **more: Any) -> Any:
        """Send a request that is answered so; gives the body as it is forwarded, and where to."""
        method = "GET" if body is None else "POST"
        request = Request(method, path, more.pop("headers", ()), b"" if body is None else json.dumps(body).encode())
        route = self.recorder.route(request)
        assert route is not None
        raw = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        response = None if status is None else Response(status, more.pop("returned", ()), raw)
        route.done(Passed(request, response, more.pop("fault", None)))
        return route.url, json.loads(route.body or b"null")

    def start(self, dialect: str, status: int | None = 202, answer: Any = None, **change: Any) -> Any:
        return self.passes(START_PATH[dialect], {**STARTS[dialect], **change}, status, answer)

    def generates(self, answer: Any = SAYS_8, status: int | None = 200, **more: Any) -> Any:
        member = next(iter(self.recorder.rollouts[1].urls))
        return self.passes(f"/recorded/1/{member}/chat/completions", {"messages": []}, status, answer, **more)

    def ends(self, dialect: str, status: int = 200) -> None:
        if dialect == "sync":
            self.start("sync", 200, {"status": "COMPLETED", "finish_reason": "stop", "final_messages": ENDED})
        elif dialect == "callback":
            body = {"rollout_id": "r", "status": "COMPLETED", "finish_reason": "stop", "final_messages": ENDED}
            self.passes("/recorded/1/server_url/v1/rollout/completed", body, status)
        elif dialect == "routed":
            self.passes("/recorded/1/completion_callback_url", {"rollout_id": "r", "status": "success"}, status)
        else:
            self.passes("/rollout/r/result", None, 200, {"status": "success", "sample": {"messages": ENDED}})

    def only(self) -> Recorded:
        (found,) = [*self.recorder.ended(), *self.recorder.rest()]
        return found


def cases_of(recorded: Recorded) -> list[Case]:
    assert recorded.why == ""
    return loader.compiled(yaml_source.parse(text_of({"cases": [recorded.case]}), "recorded"), PROFILE)


@pytest.mark.parametrize("dialect", START_PATH)
def test_a_rollout_of_each_dialect_is_a_valid_case(dialect: str) -> None:
    wire = Wire()
    if dialect != "sync":
        wire.start(dialect, answer={"rollout_id": "r"})
    else:
        wire.recorder.route(Request("POST", START_PATH[dialect], (), json.dumps(SYNC).encode()))
    wire.generates()
    assert not list(wire.recorder.ended())
    wire.ends(dialect)
    found = wire.only()
    assert [case.dialect for case in cases_of(found)] == [dialect]
    assert found.case["trainer"] == [{"text": "8"}]
    assert found.case["expect"][0] == {"completed": "stop"}


def test_the_server_calls_the_recorder_and_the_recorder_the_trainer() -> None:
    wire = Wire()
    url, sent = wire.start("callback")
    assert (url, sent["server_url"]) == (
        "http://server:9000/v1/rollout/init",
        "http://recorder:1/recorded/1/server_url/",
    )
    assert {**sent, "server_url": ""} == {**STARTS["callback"], "server_url": ""}
    assert wire.generates()[0] == f"{TRAINER}/chat/completions"


def test_a_start_request_that_is_sent_again_is_of_the_same_rollout() -> None:
    wire = Wire()
    assert wire.start("callback", 429) == wire.start("callback")
    assert list(wire.recorder.rollouts) == [1]


@pytest.mark.parametrize(
    ("response", "line"),
    [
        (
            {"status": 503, "returned": (("retry-after", "2"),)},
            {"fail": {"status": 503, "headers": {"retry-after": "2"}}},
        ),
        ({"status": 404}, {"fail": 404}),
        ({"status": None, "fault": "refused"}, {"fail": "reset"}),
        ({"status": 200, "fault": "the body breaks off"}, {"fail": "cut"}),
        ({"status": None, "fault": LEFT}, {"text": "The server did not wait for this.", "hold": "never"}),
        ({"answer": b"<html>"}, {"fail": {"body": "<html>"}}),
        ({"answer": {"choices": []}}, {"fail": {"body": '{"choices": []}'}}),
    ],
    ids=["retry_after", "status", "no_connection", "cut", "server_left", "html", "no_choice"],
)
def test_a_failure_is_written_as_one(response: dict[str, Any], line: Any) -> None:
    wire = Wire()
    wire.start("callback")
    wire.generates(**{"answer": SAYS_8, **response})
    wire.generates()
    wire.ends("callback")
    found = wire.only()
    assert found.case["trainer"] == [line, {"text": "8"}]
    assert cases_of(found)


def test_equal_failures_in_a_row_are_written_once() -> None:
    wire = Wire()
    wire.start("callback")
    for _ in range(3):
        wire.generates(status=503)
    wire.generates()
    wire.ends("callback", status=500)
    wire.ends("callback")
    found = wire.only()
    assert found.case["trainer"][0] == {"fail": {"status": 503, "times": 3}}
    assert found.case["acks"] == [500, 200]
    assert {"generation_requests": 4} in found.case["expect"]
    assert cases_of(found)


@pytest.mark.parametrize(
    ("arguments", "written"),
    [
        ('{"a": 5, "b": 3}', {"add": {"a": 5, "b": 3}}),
        ('{"a":5,"b":3}', {"name": "add", "arguments_text": '{"a":5,"b":3}'}),
        ('{"b": 3, "a": 5.0}', {"add": {"b": 3, "a": 5.0}}),
        ('{"a": 5', {"name": "add", "arguments_text": '{"a": 5'}),
        ("", {"name": "add", "arguments_text": ""}),
        ("null", {"name": "add", "arguments_text": "null"}),
        ('{"a": "größe \\ud83d"}', {"name": "add", "arguments_text": '{"a": "größe \\ud83d"}'}),
    ],
)
def test_arguments_are_sent_byte_for_byte_as_they_were(arguments: str, written: Any) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "add", "arguments": arguments}}
    message = {"role": "assistant", "content": None, "tool_calls": [call], "reasoning_content": "So:"}
    wire = Wire()
    wire.start("callback")
    wire.generates({"choices": [{"message": message, "finish_reason": "length"}]})
    wire.ends("callback")
    found = wire.only()
    assert found.case["trainer"] == [{"call": written, "reasoning": "So:", "finish": "length"}]
    (script,) = [step.what.script for step in cases_of(found)[0].steps if hasattr(step.what, "script")]
    assert script.lines[0].calls[0].arguments == arguments


def test_a_stream_is_put_together() -> None:
    deltas: list[dict[str, str]] = [
        {"role": "assistant", "content": ""},
        {"content": "The result "},
        {"content": "is 8."},
    ]
    chunks: list[Any] = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    body = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"
    wire = Wire()
    wire.start("leased")
    wire.generates(body, returned=(("content-type", "text/event-stream; charset=utf-8"),))
    wire.ends("leased")
    assert wire.only().case["trainer"] == [{"text": "The result is 8."}]


def test_keys_and_what_looks_like_one_are_masked_wherever_they_stand() -> None:
    said = "use sk-abcdefghijklmnop0123, Bearer abc.def, http://me:secret@host/ and trainer-key-9876"
    wire = Wire()
    metadata: dict[str, Any] = {"api_key": "k", "nested": [{"password": "p", "max_tokens": 5}], "note": said}
    bearer = (("authorization", "Bearer server-key-1234"),)
    body: dict[str, Any] = {**STARTS["callback"], "api_key": "trainer-key-9876", "metadata": metadata}
    wire.passes(START_PATH["callback"], body, 202, headers=bearer)
    wire.generates({"choices": [{"message": {"role": "assistant", "content": f"server-key-1234 {said}"}}]})
    wire.ends("callback")
    text = text_of({"cases": [wire.only().case]})
    secrets = ("server-key-1234", "trainer-key-9876", "sk-abc", "abc.def", "me:secret", "api_key: k", "password: p")
    assert [secret for secret in secrets if secret in text] == []
    assert "max_tokens: 5" in text


@pytest.mark.parametrize(
    ("act", "why"),
    [
        (lambda wire: wire.start("callback", 422), "its start request was answered 422"),
        (lambda wire: wire.start("callback"), "it had not ended"),
        (lambda wire: (wire.start("callback"), wire.ends("callback")), "without a generation request"),
        (
            lambda wire: (wire.start("callback"), wire.generates(), wire.passes("/rollout/cancel", {"ids": ["r"]})),
            "it was cancelled",
        ),
    ],
)
def test_what_no_scenario_can_hold_is_told(act: Any, why: str) -> None:
    wire = Wire()
    act(wire)
    assert why in wire.only().why


@pytest.mark.parametrize("url", ["ftp://trainer/", "http://", "http://t/?q=1", "http://me@t/", 5, None])
def test_a_url_that_cannot_be_replaced_is_forwarded_as_it_is(url: Any) -> None:
    wire = Wire()
    sent = wire.passes("/v1/rollout/init", {**STARTS["callback"], "server_url": url}, 422)[1]
    assert sent["server_url"] == url
    assert not list(wire.recorder.rest())


@pytest.mark.parametrize("body", [[], "x", {"rollout_id": {}}, None])
def test_any_other_request_is_forwarded(body: Any) -> None:
    wire = Wire()
    assert wire.passes("/rollout?x=1", body)[0] == "http://server:9000/rollout?x=1"
    assert wire.recorder.route(Request("POST", "/recorded/7/server_url/x", (), b"")) is None


def test_a_limit_of_tokens_ends_the_rollout_where_it_did() -> None:
    wire = Wire()
    wire.start("callback", max_tokens_total=100)
    wire.generates()
    body = {"rollout_id": "r", "status": "COMPLETED", "finish_reason": "max_tokens", "final_messages": ENDED}
    wire.passes("/recorded/1/server_url/v1/rollout/completed", body)
    found = wire.only()
    assert found.case["start"]["max_tokens_total"] == {"sampled": 1, "plus": 0}
    assert found.case["requirements"] == ["ROLLOUT-114"]


def test_a_failure_that_no_generation_explains_is_not_written() -> None:
    """The suite answers with tokens of its own: a server that failed over those of the trainer completes the scenario."""
    wire = Wire()
    wire.recorder.route(Request("POST", START_PATH["sync"], (), json.dumps(SYNC).encode()))
    wire.generates()
    wire.start("sync", 200, {"status": "ERROR", "error_message": "the prompt has other tokens", "final_messages": []})
    found = wire.only()
    assert found.why.startswith("rollout 1: it failed although its last generation was answered")
    assert found.why.endswith("The server reported: the prompt has other tokens")


def test_a_secret_that_is_seen_in_one_place_is_masked_in_all() -> None:
    wire = Wire()
    said = [
        {"role": "system", "content": "Log in with hunter-2-hunter. The API_KEY=abcdef123456, and the secret is safe."}
    ]
    start = {"metadata": {"db_password": "hunter-2-hunter", "n": 1}, "messages": said}
    wire.recorder.route(Request("POST", START_PATH["sync"], (), json.dumps(SYNC | start).encode()))
    wire.generates()
    wire.passes(START_PATH["sync"], SYNC | start, 200, {"status": "COMPLETED", "finish_reason": "stop"})
    found = wire.only()
    assert found.case["start"]["messages"][0]["content"] == (
        "Log in with ***. The API_KEY=***, and the secret is safe."
    )
    assert found.case["start"]["metadata"] == {"db_password": "***", "n": 1}
