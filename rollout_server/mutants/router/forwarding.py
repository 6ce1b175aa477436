"""Defects of the bodies of requests and responses."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from rollout_conformance.rollout_server.common import json_text, sse
from rollout_conformance.rollout_server.mutants.framework import Mutant, around
from rollout_conformance.rollout_server.router import (
    failover,
)
from rollout_conformance.rollout_server.router.backend_client import BackendError, BackendReply
from rollout_conformance.rollout_server.router.failover import OpenResponse
from rollout_conformance.rollout_server.router.streaming import Stream

KNOWN = {"model", "messages", "prompt", "max_tokens", "temperature", "stream", "stream_options"}


ANSWERED = {"id", "object", "created", "model", "choices", "usage"}


def _known(original: Any, body: dict[str, Any]) -> bytes:
    return bytes(original({name: value for name, value in body.items() if name in KNOWN}))


def _always_options(original: Any, body: dict[str, Any]) -> bytes:
    return bytes(original({**body, "stream_options": {**(body.get("stream_options") or {}), "include_usage": True}}))


def _own_options(original: Any, body: dict[str, Any]) -> bytes:
    options = {"stream_options": {"include_usage": True}} if body.get("stream") else {}
    return bytes(original({**body, **options}))


def _truthy(original: Any, body: dict[str, Any]) -> bytes:
    return bytes(original({name: value for name, value in body.items() if value or value is None}))


def _typed(answer: dict[str, Any]) -> dict[str, Any]:
    choices = [
        {**c, "message": _plain_message(c["message"])} if "message" in c else c for c in answer.get("choices", [])
    ]
    return {name: choices if name == "choices" else value for name, value in answer.items() if name in ANSWERED}


def _plain_message(message: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in message.items() if name in ("role", "content")}


def _halved(answer: dict[str, Any]) -> dict[str, Any]:
    usage = answer.get("usage") or {}
    return {**answer, "usage": {**usage, "total_tokens": usage.get("total_tokens", 0) // 2}}


def _twice(answer: dict[str, Any]) -> dict[str, Any]:
    return {**answer, "choices": [*answer["choices"], *answer["choices"]]}


def _known_of_prompts(original: Any, body: dict[str, Any]) -> bytes:
    return bytes(original({n: v for n, v in body.items() if n in KNOWN or "prompt" not in body}))


def answering(change: Callable[[dict[str, Any]], Any]) -> Callable[[], None]:
    """Change the body of non-streamed responses."""

    def patch() -> None:
        from rollout_conformance.rollout_server.router import failover

        original: Callable[..., Awaitable[OpenResponse]] = failover.open_one

        async def changed(*arguments: Any) -> OpenResponse:
            opened = await original(*arguments)
            if opened.chunks is None and opened.reply.status < 300:
                opened.body = json_text.dumps(change(json_text.loads(opened.body)))
            return opened

        failover.open_one = changed  # type: ignore[assignment]

    return patch


DELTA = {"role", "content"}


def _plain(original: Any, self: Stream, event: bytes) -> bytes | None:
    passed: bytes | None = original(self, event)
    text = sse.data(passed) if passed else None
    chunk = failover.parse_json(text) if text else None
    if not isinstance(chunk, dict) or not chunk.get("choices"):
        return passed
    deltas = [{n: v for n, v in c.get("delta", {}).items() if n in DELTA} for c in chunk["choices"]]
    choices = [{**c, "delta": delta} for c, delta in zip(chunk["choices"], deltas, strict=True)]
    return sse.event({**chunk, "choices": choices})


def _rounding_retry(original: Any, lifecycle: Any, choice: Any, body: bytes, streams: bool) -> Any:
    """A retry sends the body parsed and written again, with integers as floats."""
    again = json.dumps(json.loads(body, parse_int=lambda digits: int(float(digits)))).encode()
    return original(lifecycle, choice, again if lifecycle.attempts else body, streams)


def _sorted(original: Any, body: dict[str, Any]) -> bytes:
    return bytes(
        original(
            {**body, "tools": json.loads(json.dumps(body["tools"], sort_keys=True))} if body.get("tools") else body
        )
    )


def _true_only(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _true_only(inner) for name, inner in value.items() if inner is not False}
    return [_true_only(inner) for inner in value] if isinstance(value, list) else value


def _tools_without_false(original: Any, body: dict[str, Any]) -> bytes:
    return bytes(original({**body, "tools": _true_only(body["tools"])} if body.get("tools") else body))


def _with_read_calls(original: Any, body: dict[str, Any]) -> bytes:
    """The arguments of earlier calls are read as JSON and written again where they are JSON."""
    for message in body.get("messages") or ():
        for call in message.get("tool_calls") or () if isinstance(message, dict) else ():
            function = call.get("function") if isinstance(call, dict) else None
            text = function.get("arguments") if isinstance(function, dict) else None
            read = failover.parse_json(text.encode()) if isinstance(text, str) else None
            if isinstance(function, dict) and isinstance(read, dict):
                function["arguments"] = json.dumps(read)
    return bytes(original(body))


def _in_tools(change: Callable[[Any], Any]) -> Callable[[], None]:
    """Change every object and list in the `tools` of a request."""

    def within(value: Any) -> Any:
        if isinstance(value, dict):
            return change({name: within(inner) for name, inner in value.items()})
        return [within(inner) for inner in value] if isinstance(value, list) else value

    def changed(original: Any, body: dict[str, Any]) -> bytes:
        return bytes(original({**body, "tools": within(body["tools"])} if body.get("tools") else body))

    return around(failover, "payload", changed)


def _never_null(schema: dict[str, Any]) -> dict[str, Any]:
    """`anyOf` a type or null is that type, as JSON schemas had it before."""
    kinds = schema.get("anyOf")
    rest = [kind for kind in kinds if kind != {"type": "null"}] if isinstance(kinds, list) else []
    if len(rest) != 1 or len(rest) == len(kinds or ()):
        return schema
    return {**{name: value for name, value in schema.items() if name != "anyOf"}, **rest[0]}


def _of_gemini(schema: dict[str, Any]) -> dict[str, Any]:
    """Keywords that some APIs do not know are dropped."""
    unknown = ("const", "$ref", "$defs", "title", "examples", "patternProperties", "prefixItems", "not", "strict")
    return {name: value for name, value in schema.items() if name not in unknown}


def _canonical(answer: dict[str, Any]) -> dict[str, Any]:
    for choice in answer.get("choices", []):
        for call in choice.get("message", {}).get("tool_calls") or []:
            arguments = failover.parse_json(call["function"]["arguments"].encode())
            call["function"]["arguments"] = json.dumps(arguments) if arguments else call["function"]["arguments"]
    return answer


COUNTS = {"prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details", "completion_tokens_details"}


def _strict_usage(original: Any, status: int, answer: Any) -> None:
    original(status, answer)
    if status < 300 and set(answer.get("usage") or {}) - COUNTS:
        raise BackendError("invalid")


MUTANTS = (
    Mutant(
        "usage_strict",
        breaks="002",
        what="a response whose usage has unknown members is a failure of the backend",
        patch=around(failover, "check_answer", _strict_usage),
    ),
    Mutant(
        "arguments_written_again",
        breaks="002",
        what="the arguments of tool calls are parsed and written again",
        patch=answering(_canonical),
    ),
    Mutant(
        "retry_rounds_numbers",
        breaks="001",
        what="the second attempt has rounded integers",
        patch=around(failover, "open_one", _rounding_retry),
    ),
    Mutant(
        "tools_lose_false",
        breaks="001",
        what="members of tools that are false are dropped",
        patch=around(failover, "payload", _tools_without_false),
    ),
    Mutant(
        "earlier_calls_written_again",
        breaks="001",
        what="the arguments of calls in the history are read and written again",
        patch=around(failover, "payload", _with_read_calls),
    ),
    Mutant(
        "tools_never_null",
        breaks="001",
        what="a parameter of a tool that is of a type or null is of that type",
        patch=_in_tools(_never_null),
    ),
    Mutant(
        "tools_of_few_keywords",
        breaks="001",
        what="keywords of JSON Schema that some APIs do not know are dropped from tools, and so is strict",
        patch=_in_tools(_of_gemini),
    ),
    Mutant(
        "tools_sorted",
        breaks="067",
        what="the members of tools are sorted",
        patch=around(failover, "payload", _sorted),
    ),
    Mutant(
        "large_responses_fail",
        breaks="068",
        what="a response of more than 2 MiB is a failure of the backend",
        patch=around(BackendReply, "read_all", lambda original, self, limit: original(self, min(limit, 2**21))),
    ),
    Mutant(
        "drops_unknown_fields",
        breaks="001",
        also=("036", "048"),
        what="unknown members of a request are dropped",
        patch=around(failover, "payload", _known),
    ),
    Mutant(
        "stream_options_always",
        breaks="073",
        what="stream_options are added to requests that are not streamed",
        patch=around(failover, "payload", _always_options),
    ),
    Mutant(
        "stream_options_replaced",
        breaks="001",
        also=("036",),
        what="the stream_options of a request are replaced by those of the router",
        patch=around(failover, "payload", _own_options),
    ),
    Mutant(
        "drops_zero_values",
        breaks="001",
        also=("048",),
        what="0, false and empty members are dropped",
        patch=around(failover, "payload", _truthy),
    ),
    Mutant(
        "drops_response_fields",
        breaks="002",
        also=("048",),
        what="unknown members of a response are dropped",
        patch=answering(_typed),
    ),
    Mutant(
        "model_renamed",
        breaks="002",
        what="the response has another model",
        patch=answering(lambda a: {**a, "model": "router"}),
    ),
    Mutant("choices_doubled", breaks="002", also=("048",), what="two choices instead of one", patch=answering(_twice)),
    Mutant("usage_sum_off", breaks="002", what="total_tokens is not the sum", patch=answering(_halved)),
    Mutant(
        "drops_stream_fields",
        breaks="002",
        also=("015",),
        what="unknown members of deltas are dropped",
        patch=around(Stream, "_visible_part", _plain),
    ),
    Mutant(
        "prompts_lose_members",
        breaks="048",
        what="unknown members of /v1/completions requests are dropped",
        patch=around(failover, "payload", _known_of_prompts),
    ),
)
