"""Defects of the validation of start requests."""

import asyncio
import contextlib
import json
from dataclasses import replace
from typing import Any

from rollout_conformance.rollout_server.common import http_client, request_parsing
from rollout_conformance.rollout_server.common.errors import RequestError
from rollout_conformance.rollout_server.mutants.dialects import CALLBACK, SYNC
from rollout_conformance.rollout_server.mutants.framework import (
    Mutant,
    after,
    around,
    put,
)
from rollout_conformance.rollout_server.rollout import (
    errors,
    request_reader,
    start_request,
    trainer_client,
)


def _calls_although_refused(original: Any, value: Any, build: Any) -> Any:
    try:
        return original(value, build)
    except RequestError:
        unsampled = isinstance(value, dict) and not {"sampling_params", "completion_params"} & set(value)
        if unsampled:
            _kept.append(asyncio.ensure_future(_stray(value)))
        raise


_kept: list[Any] = []


async def _stray(value: dict[str, Any]) -> None:

    client = trainer_client.TrainerClient(http_client.transport(), 10**6)
    headers = trainer_client.headers(value.get("callback_api_key") or value.get("api_key"))
    body = json.dumps({"messages": value.get("messages") or [], "rollout_id": value["rollout_id"], "logprobs": True})
    with contextlib.suppress(errors.RolloutError):
        await client.attempt(f"{value['server_url'].rstrip('/')}/v1/chat/completions", body.encode(), headers, 5)


def _incoming(change: Any) -> Any:
    """Change the body of a start request before it is validated."""

    def validate(original: Any, value: Any, build: Any) -> Any:
        return original(change(dict(value)) if isinstance(value, dict) else value, build)

    return around(request_parsing, "validate", validate)


def _refuse(when: Any) -> Any:
    """Reject valid start requests."""

    def validate(original: Any, value: Any, build: Any) -> Any:
        if isinstance(value, dict) and when(value):
            raise RequestError(422, "no")
        return original(value, build)

    return around(request_parsing, "validate", validate)


def _has_parts(body: dict[str, Any]) -> bool:
    messages = body.get("messages")
    return isinstance(messages, list) and any(
        isinstance(m, dict) and isinstance(m.get("content"), list) for m in messages
    )


def _sampling(name: str, low: float, high: float) -> Any:
    """Clamp a sampling value instead of rejecting it."""

    def change(body: dict[str, Any]) -> dict[str, Any]:
        sampling = body.get("sampling_params")
        if isinstance(sampling, dict) and isinstance(sampling.get(name), int | float):
            body["sampling_params"] = {**sampling, name: min(max(sampling[name], low), high)}
        return body

    return _incoming(change)


def _messages(change: Any) -> Any:
    def body(value: dict[str, Any]) -> dict[str, Any]:
        if isinstance(value.get("messages"), list):
            value["messages"] = [change(m) if isinstance(m, dict) else m for m in value["messages"]]
        return value

    return _incoming(body)


def _clamped(name: str, low: int, high: int) -> Any:
    def body(value: dict[str, Any]) -> dict[str, Any]:
        if isinstance(value.get(name), int):
            value[name] = min(max(value[name], low), high)
        return value

    return _incoming(body)


def _started(**changes: Any) -> Any:
    """Change a start after it was validated."""

    def patch() -> None:
        for name in ("from_sync", "from_callback"):
            after(start_request, name, lambda s: replace(s, **{k: f(s) for k, f in changes.items()}))()

    return patch


def _only_known(message: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in message.items() if k in ("role", "content", "tool_calls", "tool_call_id")}


MUTANTS = (
    Mutant(
        "sampling_optional",
        breaks="017",
        what="a start needs no sampling parameters",
        patch=_incoming(lambda b: {"sampling_params": {}, "completion_params": {}, **b}),
    ),
    Mutant(
        "blank_id",
        breaks="018",
        also=("020", "126"),
        what="a blank id is replaced",
        patch=_incoming(
            lambda b: (
                {**b, "rollout_id": b["rollout_id"].strip() or "x"}
                if isinstance(b.get("rollout_id"), str) and not b["rollout_id"].strip()
                else b
            )
        ),
    ),
    Mutant(
        "id_255",
        breaks="019",
        what="an id of 256 characters is rejected",
        patch=_refuse(lambda b: len(str(b.get("rollout_id"))) > 255),
    ),
    Mutant(
        "id_trimmed",
        breaks="020",
        also=("008", "126"),
        what="an id is trimmed",
        patch=_started(rollout_id=lambda s: s.rollout_id.strip()),
    ),
    Mutant(
        "any_scheme",
        breaks="022",
        also=("136",),
        what="another URL scheme is taken for http",
        patch=_incoming(
            lambda b: {**b, "server_url": "http://127.0.0.1:9"} if str(b.get("server_url")).startswith("ftp") else b
        ),
    ),
    Mutant(
        "no_host",
        breaks="023",
        also=("136",),
        what="a URL without a host is accepted",
        patch=_incoming(lambda b: {**b, "server_url": "http://127.0.0.1:9"} if b.get("server_url") == "http://" else b),
    ),
    Mutant(
        "double_slash",
        breaks="025",
        what="a URL has a double slash",
        patch=_started(server_url=lambda s: s.server_url + "/"),
    ),
    Mutant(
        "no_prefix",
        breaks="027",
        what="the path prefix of server_url is lost",
        patch=_started(server_url=lambda s: "/".join(s.server_url.split("/")[:3])),
    ),
    Mutant(
        "path_in_small_letters",
        breaks="027",
        what="the path of server_url is written in small letters",
        patch=_started(server_url=lambda s: s.server_url.lower()),
    ),
    Mutant(
        "path_unescaped",
        breaks="027",
        what="escapes in the path of server_url are replaced",
        patch=_started(server_url=lambda s: s.server_url.replace("%2F", "/")),
    ),
    Mutant(
        "no_messages",
        breaks="028",
        what="an empty conversation is accepted",
        patch=_incoming(
            lambda b: (
                {**b, "messages": b["messages"] or [{"role": "user", "content": "?"}]}
                if isinstance(b.get("messages"), list)
                else b
            )
        ),
    ),
    Mutant(
        "any_role",
        breaks="029",
        also=("050", "118"),
        what="any role is accepted",
        patch=_messages(lambda m: {**m, "role": "user"} if m.get("role") == "narrator" else m),
        dialects=SYNC,
    ),
    Mutant(
        "known_members",
        breaks="030",
        also=("050", "118"),
        what="unknown members of messages are dropped",
        patch=_messages(_only_known),
    ),
    Mutant("text_only", breaks="031", what="content in parts is rejected", patch=_refuse(_has_parts)),
    Mutant(
        "turns_clamped",
        breaks="032",
        also=("065",),
        what="max_turns out of range is accepted",
        patch=_clamped("max_turns", 1, 100),
        dialects=SYNC,
    ),
    Mutant(
        "five_turns",
        breaks="033",
        also=("113",),
        what="max_turns is 5 by default",
        patch=_incoming(lambda b: {"max_turns": 5, **b}),
    ),
    Mutant(
        "hot",
        breaks="034",
        also=("051",),
        what="a temperature above 2 is accepted",
        patch=_sampling("temperature", 0, 2),
        dialects=SYNC,
    ),
    Mutant(
        "metadata_any",
        breaks="038",
        what="metadata of any size is accepted",
        patch=put(request_reader, "check_metadata", lambda *_: None),
        dialects=CALLBACK,
    ),
    Mutant("strict_body", breaks="040", what="unknown members are rejected", patch=_refuse(lambda b: "x_future" in b)),
    Mutant(
        "bad_json_500",
        breaks="041",
        also=("173",),
        what="bad JSON is a server error",
        patch=put(request_parsing, "parse", lambda body: __import__("json").loads(body)),
    ),
    Mutant(
        "calls_although_refused",
        breaks="042",
        also=("017", "142", "050", "125"),
        what="a generation is requested for a rejected start",
        patch=around(request_parsing, "validate", _calls_although_refused),
    ),
    Mutant(
        "odd_metadata",
        breaks="044",
        what="unknown metadata is rejected",
        patch=_refuse(lambda b: "termination_strategy" in (b.get("metadata") or {})),
    ),
)
