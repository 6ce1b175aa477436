"""Defects of the surface, of the start request, of repetition and of credentials."""

from dataclasses import replace
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from rollout_conformance.rollout_server.common import auth, request_parsing
from rollout_conformance.rollout_server.common.request_parsing import Refusal
from rollout_conformance.rollout_server.mutants.framework import BOTH, CALLBACK, SYNC, Mutant, after, around, put
from rollout_conformance.rollout_server.rollout import (
    app,
    concurrency,
    endpoints,
    generation,
    idempotency,
    service,
    start_request,
    tools,
    trainer_client,
)


def _incoming(change: Any) -> Any:
    """Change the body of a start request before it is validated."""

    def validate(original: Any, value: Any, build: Any) -> Any:
        return original(change(dict(value)) if isinstance(value, dict) else value, build)

    return around(request_parsing, "validate", validate)


def _refuse(when: Any) -> Any:
    """Refuse start requests that are right."""

    def validate(original: Any, value: Any, build: Any) -> Any:
        if isinstance(value, dict) and when(value):
            raise Refusal(422, "no")
        return original(value, build)

    return around(request_parsing, "validate", validate)


def _any_path() -> None:
    app.ROUTES.append(Route("/{rest:path}", endpoints.Health))


def _log_keys() -> None:
    import sys

    def sampling(original: Any, asked: Any) -> Any:
        sys.stderr.write(f"asking with {asked.api_key}\n")
        return original(asked)

    around(generation, "sampling", sampling)()


def _has_parts(body: dict[str, Any]) -> bool:
    messages = body.get("messages")
    return isinstance(messages, list) and any(
        isinstance(m, dict) and isinstance(m.get("content"), list) for m in messages
    )


def _sampling(name: str, low: float, high: float) -> Any:
    """Bring a sampling value into its bounds instead of refusing it."""

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


def _same_but_refused(*_: Any) -> Any:
    seen: set[str] = set()

    def validate(original: Any, value: Any, build: Any) -> Any:
        name = value.get("rollout_id") if isinstance(value, dict) else None
        if name in seen:
            raise Refusal(409, "seen before")
        try:
            return original(value, build)
        except Refusal:
            if isinstance(name, str):
                seen.add(name)
            raise

    return around(request_parsing, "validate", validate)


def _tools_in_turns() -> None:
    original, turn = tools.Toolbox.describe, [0]

    def describe(box: Any) -> Any:
        turn[0] += 1
        return list(reversed(original(box))) if turn[0] % 2 else original(box)

    setattr(tools.Toolbox, "describe", describe)  # noqa: B010 - mypy forbids the plain assignment to a method


def described(change: Any) -> Any:
    return after(tools.Tool, "describe", lambda tool: {**tool, "function": change(dict(tool["function"]))})


async def _platform(self: Any, request: Any) -> Response:
    return endpoints.json_response({"status": "healthy"})


async def _init_200(self: Any, request: Any) -> Response:
    own = endpoints.service_of(request)
    asked = await request_parsing.read_start(request, own.kit.settings, start_request.from_callback)
    return endpoints.json_response(endpoints.launch(lambda: own.accept(asked)), 200)


def _first_key() -> Any:
    keys: list[str] = []

    def headers(original: Any, api_key: str | None) -> Any:
        if api_key:
            keys.append(api_key)
        return original(keys[0] if keys else api_key)

    return around(trainer_client, "headers", headers)


def _own_key() -> None:
    import os

    around(trainer_client, "headers", lambda original, key: original(os.environ.get("ROLLOUT_SERVER_KEY") or key))()


def _by_key_or_id(self: Any, asked: Any) -> Any:
    return self._by_id.get(asked.idempotency_key) or self._by_key.get(idempotency.key_digest(asked) or b"")


def _swallowed(self: Any, asked: Any, now: float) -> Any:
    return self.with_key(asked) or self.with_id(asked)


def _key_first(self: Any, asked: Any) -> Any:
    return None if asked.idempotency_key else self._by_id.get(asked.rollout_id)


def _forgotten(self: Any, rollout_id: str, now: float) -> None:
    record = self._by_id.pop(rollout_id)
    self._by_key.pop(record.key, None)


def _wide(original: Any, self: Any, running: int, waiting: int) -> None:
    original(self, 1000, waiting)


def _trips_over_roles(original: Any, value: Any, build: Any) -> Any:
    for message in value.get("messages") or () if isinstance(value, dict) else ():
        if isinstance(message, dict) and isinstance(message.get("role"), dict):
            raise RuntimeError("planted")
    return original(value, build)


MUTANTS = (
    Mutant(
        "counts_in_words",
        "300",
        "health counts in text",
        after(endpoints, "health", lambda h: {**h, "active_rollouts": str(h.get("active_rollouts", 0))}),
        CALLBACK,
        by="fuzzing",
    ),
    Mutant(
        "trips_over_roles",
        "303",
        "a role that is an object is a 500",
        around(request_parsing, "validate", _trips_over_roles),
        by="fuzzing",
    ),
    Mutant("health_word", "001", "health says ok", after(endpoints, "health", lambda h: {**h, "status": "ok"}), SYNC),
    Mutant("health_empty", "002", "health has no status", after(endpoints, "health", lambda h: {}), CALLBACK, ("003",)),
    Mutant(
        "tools_untyped",
        "005",
        "tools have no type",
        after(tools.Tool, "describe", lambda t: {"function": t["function"]}),
        SYNC,
    ),
    Mutant("tools_in_turns", "006", "the order of the tools changes", _tools_in_turns, SYNC),
    Mutant(
        "init_200",
        "007",
        "an accepted init is answered 200",
        put(endpoints.CallbackInit, "post", _init_200),
        CALLBACK,
    ),
    Mutant(
        "init_id_upper",
        "008",
        "the 202 changes the id",
        after(service, "init_reply", lambda r: {**r, "rollout_id": r["rollout_id"].upper()}),
        CALLBACK,
    ),
    Mutant(
        "tool_not_shown",
        "009",
        "divide runs and is not shown",
        after(service, "init_reply", lambda r: {**r, "tools": r["tools"][:3]}),
        CALLBACK,
    ),
    Mutant(
        "tool_nulls",
        "010",
        "absent members of tools are null",
        described(lambda f: {**f, "parameters": {**f["parameters"], "enum": None}}),
        CALLBACK,
    ),
    Mutant(
        "schema_untyped",
        "011",
        "parameters are no object schema",
        described(lambda f: {**f, "parameters": {**f["parameters"], "required": ["z"]}}),
    ),
    Mutant(
        "platform_open",
        "015",
        "the platform's health needs no key",
        put(endpoints.PlatformHealth, "get", _platform),
        CALLBACK,
    ),
    Mutant(
        "sampling_optional",
        "017",
        "a start needs no sampling",
        _incoming(lambda b: {"sampling_params": {}, "completion_params": {}, **b}),
    ),
    Mutant(
        "blank_id",
        "018",
        "a blank id is replaced",
        _incoming(
            lambda b: (
                {**b, "rollout_id": b["rollout_id"].strip() or "x"}
                if isinstance(b.get("rollout_id"), str) and not b["rollout_id"].strip()
                else b
            )
        ),
        BOTH,
        ("020", "126"),
    ),
    Mutant(
        "id_255", "019", "an id of 256 characters is refused", _refuse(lambda b: len(str(b.get("rollout_id"))) > 255)
    ),
    Mutant(
        "id_trimmed",
        "020",
        "an id is trimmed",
        _started(rollout_id=lambda s: s.rollout_id.strip()),
        BOTH,
        ("008", "126"),
    ),
    Mutant(
        "any_scheme",
        "022",
        "another scheme is taken for http",
        _incoming(
            lambda b: {**b, "server_url": "http://127.0.0.1:9"} if str(b.get("server_url")).startswith("ftp") else b
        ),
        BOTH,
        ("136",),
    ),
    Mutant(
        "no_host",
        "023",
        "a URL without a host is accepted",
        _incoming(lambda b: {**b, "server_url": "http://127.0.0.1:9"} if b.get("server_url") == "http://" else b),
        BOTH,
        ("136",),
    ),
    Mutant("double_slash", "025", "a slash too many", _started(server_url=lambda s: s.server_url + "/"), BOTH),
    Mutant(
        "no_prefix",
        "027",
        "a path prefix is lost",
        _started(server_url=lambda s: "/".join(s.server_url.split("/")[:3])),
    ),
    Mutant(
        "no_messages",
        "028",
        "an empty conversation is accepted",
        _incoming(
            lambda b: (
                {**b, "messages": b["messages"] or [{"role": "user", "content": "?"}]}
                if isinstance(b.get("messages"), list)
                else b
            )
        ),
    ),
    Mutant(
        "any_role",
        "029",
        "any role is accepted",
        _messages(lambda m: {**m, "role": "user"} if m.get("role") == "narrator" else m),
        SYNC,
        ("050", "118"),
    ),
    Mutant(
        "known_members", "030", "unknown members of messages are dropped", _messages(_only_known), BOTH, ("050", "118")
    ),
    Mutant(
        "text_only",
        "031",
        "content in parts is refused",
        _refuse(_has_parts),
    ),
    Mutant(
        "turns_clamped", "032", "max_turns out of bounds is accepted", _clamped("max_turns", 1, 100), SYNC, ("065",)
    ),
    Mutant("five_turns", "033", "five turns by default", _incoming(lambda b: {"max_turns": 5, **b}), BOTH, ("113",)),
    Mutant("hot", "034", "a temperature above 2 is accepted", _sampling("temperature", 0, 2), SYNC, ("051",)),
    Mutant(
        "metadata_any", "038", "metadata of any size", put(request_parsing, "check_metadata", lambda *_: None), CALLBACK
    ),
    Mutant("strict_body", "040", "unknown members are refused", _refuse(lambda b: "x_future" in b)),
    Mutant(
        "bad_json_500",
        "041",
        "bad JSON is a server error",
        put(request_parsing, "parse", lambda body: __import__("json").loads(body)),
        BOTH,
        ("173",),
    ),
    Mutant(
        "odd_metadata",
        "044",
        "unknown metadata is refused",
        _refuse(lambda b: "termination_strategy" in (b.get("metadata") or {})),
    ),
    Mutant(
        "runs_again",
        "148",
        "a repeated init runs again",
        put(idempotency.Registry, "with_id", lambda self, s: None),
        CALLBACK,
        ("149", "150", "151", "152", "154", "156", "137", "140"),
    ),
    Mutant(
        "forgets",
        "151",
        "a finished rollout is forgotten",
        put(idempotency.Registry, "finish", _forgotten),
        CALLBACK,
        ("152", "156", "153", "155"),
    ),
    Mutant(
        "key_swallows",
        "153",
        "another id under a used key is swallowed",
        put(idempotency.Registry, "find", _swallowed),
        CALLBACK,
        ("008", "136", "156"),
    ),
    Mutant(
        "key_decides",
        "154",
        "two keys run one id twice",
        put(idempotency.Registry, "with_id", _key_first),
        CALLBACK,
        ("152",),
    ),
    Mutant(
        "key_is_id",
        "155",
        "ids and keys share one space",
        put(idempotency.Registry, "with_key", _by_key_or_id),
        CALLBACK,
    ),
    Mutant("id_burnt", "158", "a refused id stays refused", _same_but_refused(), BOTH, ("018", "112")),
    Mutant("no_limit", "160", "the limit is not kept", around(concurrency.Slots, "__init__", _wide), BOTH),
    Mutant(
        "keyless_sync", "166", "calls carry no key", around(trainer_client, "headers", lambda o, key: o(None)), SYNC
    ),
    Mutant(
        "keyless_callback",
        "168",
        "calls carry no key",
        around(trainer_client, "headers", lambda o, key: o(None)),
        CALLBACK,
        ("143", "177"),
    ),
    Mutant(
        "bearer_none",
        "167",
        "a header although there is no key",
        around(trainer_client, "headers", lambda o, key: o(key or "none")),
    ),
    Mutant(
        "open_door",
        "169",
        "the server's key is not asked for",
        put(auth, "is_allowed", lambda request, key: True),
        CALLBACK,
        ("015", "172", "173", "174"),
    ),
    Mutant(
        "Bearer_only",
        "170",
        "the scheme is compared by case",
        put(auth, "matches", lambda value, key: value == b"Bearer " + key),
        CALLBACK,
    ),
    Mutant(
        "ascii_keys",
        "172",
        "a key that is not ASCII is a server error",
        around(auth, "matches", lambda o, value, key: o(value.decode("ascii").encode(), key)),
        CALLBACK,
    ),
    Mutant(
        "logs_keys",
        "175",
        "the key is logged",
        _log_keys,
    ),
    Mutant(
        "first_key", "176", "the first key is used for all", _first_key(), BOTH, ("166", "168", "143", "167", "177")
    ),
    Mutant(
        "own_key", "177", "the server's own key goes to the trainer", _own_key, CALLBACK, ("167", "168", "143", "175")
    ),
    Mutant("unknown_path_200", "014", "unknown paths are answered 200", _any_path),
)
