"""Trace headers are forwarded, and the trace id is recorded."""

import json
from typing import Any

import pytest
from starlette.datastructures import Headers

from rollout_conformance.rollout_server.router import trace_context
from rollout_conformance.rollout_server.tests.router.backend import Fake
from rollout_conformance.rollout_server.tests.router.support import Caller, play_with

ID, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{ID}-{SPAN}-01"


@pytest.mark.parametrize(
    ("value", "valid"),
    [
        (PARENT, True),
        (f"00-{ID}-{SPAN}-00", True),
        (f"01-{ID}-{SPAN}-01", True),
        (f"cc-{ID}-{SPAN}-01-what-will-be", True),
        (f"{PARENT}-more", False),
        (f"{PARENT}0", False),
        (f"ff-{ID}-{SPAN}-01", False),
        (f"00-{ID.upper()}-{SPAN}-01", False),
        (f"00-{'0' * 32}-{SPAN}-01", False),
        (f"00-{ID}-{'0' * 16}-01", False),
        (f"00-{ID[:31]}-{SPAN}-01", False),
        ("", False),
    ],
)
def test_which_are_valid(value: str, valid: bool) -> None:
    found = trace_context.of(Headers({"traceparent": value}))
    assert found == (trace_context.Trace(ID, {"traceparent": value}) if valid else None)


@pytest.mark.parametrize(
    ("headers", "passed"),
    [
        ([("traceparent", PARENT), ("tracestate", "a=1")], {"traceparent": PARENT, "tracestate": "a=1"}),
        ([("traceparent", PARENT), ("tracestate", "a=1"), ("tracestate", "b=2")], {"tracestate": "a=1,b=2"}),
        ([("traceparent", PARENT), ("tracestate", "a" * 513)], {"traceparent": PARENT}),
        ([("traceparent", PARENT), ("traceparent", PARENT)], {}),
        ([("tracestate", "a=1")], {}),
    ],
)
def test_forwarded_headers(headers: list[tuple[str, str]], passed: dict[str, str]) -> None:
    found = trace_context.of(Headers(raw=[(name.encode(), value.encode()) for name, value in headers]))
    assert dict(found.headers if found else {}) == ({"traceparent": PARENT} if passed else {}) | passed


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("parent", [PARENT, None, "nonsense"])
def test_it_stands_in_record_and_log(parent: str | None, stream: bool, capsys: pytest.CaptureFixture[str]) -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        given = {"traceparent": parent, "tracestate": "v=1"} if parent else {}
        answer = await c.ask(stream=stream, headers={"x-request-id": "mine", **given})
        assert answer.headers["x-request-id"] == "mine"
        sent = fakes[0].headers[0]
        valid = parent == PARENT
        assert (sent.get("traceparent"), sent.get("tracestate")) == ((PARENT, "v=1") if valid else (None, None))
        assert (await c.app_state.key_store.request("one", "mine"))["trace_id"] == (ID if valid else None)
        line: dict[str, Any] = json.loads(capsys.readouterr().err)
        assert (line["request_id"], line.get("trace_id")) == ("mine", ID if valid else None)

    play_with(scenario, Fake("a"), log_level="info")
