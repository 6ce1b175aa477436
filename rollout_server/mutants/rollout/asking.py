"""Defects of what is asked of the trainer, what is made of its reply, and the tools."""

import asyncio
import copy
import json
from dataclasses import replace
from typing import Any

from rollout_conformance.contracts.rollout import wire
from rollout_conformance.rollout_server.mutants.framework import BOTH, CALLBACK, SYNC, Mutant, after, around, put
from rollout_conformance.rollout_server.rollout import (
    agent,
    errors,
    generation,
    response_mask,
    retry,
    tools,
    trainer_client,
)
from rollout_conformance.rollout_server.rollout.errors import RolloutError
from rollout_conformance.rollout_server.rollout.generation import Reply
from rollout_conformance.rollout_server.rollout.service import Kit
from rollout_conformance.rollout_server.rollout.tools import ToolError, calculator


def _body(change: Any) -> Any:
    """Change a generation request; the change may edit it, it is a copy."""
    return around(
        generation, "chat_body", lambda o, rollout, prompt: change(copy.deepcopy(dict(o(rollout, prompt))), rollout)
    )


def _tail(body: dict[str, Any], rollout: Any) -> dict[str, Any]:
    return {**body, "messages": body["messages"][-2:]}


def _rewritten(body: dict[str, Any], rollout: Any) -> dict[str, Any]:
    if rollout.tally.llm_calls:
        body["messages"][0]["content"] = "Earlier turns were shortened."
    return body


def _respaced(body: dict[str, Any], rollout: Any) -> dict[str, Any]:
    for message in body["messages"]:
        for call in message.get("tool_calls") or []:
            if isinstance(call.get("function", {}).get("arguments"), str):
                try:
                    call["function"]["arguments"] = json.dumps(json.loads(call["function"]["arguments"]))
                except ValueError:
                    continue
    return body


def _no_reasoning(body: dict[str, Any], rollout: Any) -> dict[str, Any]:
    for message in body["messages"]:
        message.pop("reasoning_content", None)
    return body


def _greeting(body: dict[str, Any], rollout: Any) -> dict[str, Any]:
    return {**body, "messages": [{"role": "system", "content": "Think."}, *body["messages"]]}


def _without(*names: str) -> Any:
    return lambda body, rollout: {k: v for k, v in body.items() if k not in names}


def _with(**members: Any) -> Any:
    return lambda body, rollout: {**body, **members}


_last_id = [""]


def _stranger(body: dict[str, Any], rollout: Any) -> dict[str, Any]:
    other, _last_id[0] = _last_id[0], rollout.start.rollout_id
    return {**body, "previous": other} if other else body


def _mask(change: Any) -> Any:
    return around(response_mask, "mask_for", lambda o, last, prompt: change(o(last, prompt), last, prompt))


async def _one_more(original: Any, rollout: Any, kit: Any) -> str:
    rollout.start = replace(rollout.start, max_turns=rollout.start.max_turns + 1)
    return str(await original(rollout, kit))


async def _late(original: Any, rollout: Any, kit: Any) -> str:
    reason = str(await original(rollout, kit))
    prompt = await generation.prompt_length(rollout, kit) if rollout.start.dialect == "sync" else 0
    rollout.last = None

    async def again() -> None:
        await asyncio.sleep(0.08)
        await generation.send(rollout, generation.chat_body(rollout, prompt), kit)

    _kept.append(asyncio.ensure_future(again()))
    return reason


_kept: list[Any] = []


def _lenient(original: Any, answer: Any, start: Any) -> Reply:
    try:
        return Reply(**{f: getattr(original(answer, start), f) for f in Reply.__slots__})
    except RolloutError as error:
        if error.category != "invalid_reply":
            raise
        return Reply({"role": "assistant", "content": ""}, (), "stop", 0, 0)


def _raw(when: Any) -> Any:
    """Choke on replies that are right."""

    def check(original: Any, raw: Any, start: Any) -> Any:
        if isinstance(raw, dict) and when(raw):
            raise errors.internal()
        return original(raw, start)

    return around(generation, "check", check)


def _last_choice(original: Any, raw: Any, start: Any) -> Any:
    if isinstance(raw, dict) and isinstance(raw.get("choices"), list) and len(raw["choices"]) > 1:
        raw["choices"][0] = raw["choices"][-1]
    return original(raw, start)


def _message(raw: dict[str, Any]) -> dict[str, Any]:
    choices = raw.get("choices") or [{}]
    message = choices[0].get("message") if isinstance(choices[0], dict) else None
    return message if isinstance(message, dict) else {}


async def _growing(self: Any, url: str, body: bytes, headers: Any, policy: Any, timeout_s: float) -> Any:
    attempts = iter(range(1000))

    async def attempt(url: str, body: bytes, headers: Any, timeout_s: float) -> Any:
        return await type(self).attempt(self, url, body + b" " * next(attempts), headers, timeout_s)

    proxy = type("Proxy", (), {"attempt": staticmethod(attempt)})()
    return await _original_post(proxy, url, body, headers, policy, timeout_s)


_original_post = trainer_client.TrainerClient.post


def _numbered(message: dict[str, Any]) -> dict[str, Any]:
    try:
        return {**message, "content": json.loads(message["content"])}
    except ValueError:
        return message


def _results(change: Any) -> Any:
    """Change the messages of one turn's tools; `change(calls, messages)`."""

    async def run_calls(original: Any, box: Any, calls: Any) -> Any:
        return change(calls, await original(box, calls))

    return around(tools, "run_calls", run_calls)


async def _mixed(original: Any, box: Any, calls: Any) -> Any:
    first = calls[0]["function"]["arguments"]
    return await original(box, [{**c, "function": {**c["function"], "arguments": first}} for c in calls])


async def _unique(original: Any, box: Any, calls: Any) -> Any:
    return await original(box, list({call["id"]: call for call in calls}.values()))


def _power(original: Any, box: Any, name: str) -> Any:
    if name == "power":
        return replace(box.tools["multiply"], name="power", run=lambda a, b: a**b)
    return original(box, name)


def _mended(original: Any, arguments: Any) -> Any:
    try:
        return original(arguments)
    except ToolError:
        try:
            return json.loads(f"{arguments}}}")
        except ValueError:
            raise ToolError("Invalid JSON arguments") from None


def _mend_cut_calls() -> None:
    put(agent, "was_cut", lambda reply: False)()
    around(tools, "read_arguments", _mended)()


def _fatal(original: Any, *arguments: Any) -> Any:
    try:
        return original(*arguments)
    except ToolError as error:
        raise RuntimeError("planted") from error


def _pythonic(original: Any, tool: Any, arguments: Any) -> Any:
    if not isinstance(arguments, dict):
        return f"TypeError: {tool.run.__qualname__}() argument after ** must be a mapping"
    return original(tool, arguments)


def _no_retries(self: Any, dialect: Any) -> retry.Policy:
    return retry.Policy(0, 0.02, 2.0)


MUTANTS = (
    Mutant("no_id", "046", "calls carry no rollout_id", _body(_without("rollout_id")), BOTH),
    Mutant(
        "tail_only",
        "047",
        "only the last two messages are sent",
        _body(_tail),
        CALLBACK,
        (
            "112",
            "050",
            "093",
            "117",
            "118",
            "104",
            "095",
            "109",
            "048",
            "049",
            "113",
            "097",
            "098",
            "099",
            "100",
            "101",
            "102",
            "081",
            "105",
            "115",
        ),
    ),
    Mutant("past_rewritten", "048", "the first message changes later", _body(_rewritten), CALLBACK, ("117",)),
    Mutant("respaced", "049", "arguments are parsed and written again", _body(_respaced), CALLBACK, ("117",)),
    Mutant("reasoning_lost", "049", "reasoning is dropped from history", _body(_no_reasoning), CALLBACK, ("117",)),
    Mutant("greeting", "050", "a system message is added", _body(_greeting), CALLBACK, ("117", "115", "118")),
    Mutant("cool", "051", "the temperature is always 1", _body(_with(temperature=1.0)), BOTH, ("034",)),
    Mutant(
        "no_logprobs",
        "052",
        "logprobs are not asked for by default",
        put(generation, "DEFAULTS", {"temperature": 1.0, "top_p": 1.0, "max_tokens": 512}),
    ),
    Mutant("streams", "053", "a stream is asked for", _body(_with(stream=True))),
    Mutant(
        "mask_at_once",
        "054",
        "the first call has a mask",
        _mask(lambda m, last, prompt: [0] * prompt if last is None else m),
        SYNC,
    ),
    Mutant(
        "mask_short",
        "055",
        "a mask is one too short",
        _mask(lambda m, last, prompt: m[:-1] if m else m),
        SYNC,
        ("060",),
    ),
    Mutant(
        "mask_of_twos", "056", "a mask has other values", _mask(lambda m, last, prompt: [2] * len(m) if m else m), SYNC
    ),
    Mutant(
        "mask_of_ones",
        "057",
        "a mask trains on what was inserted",
        _mask(lambda m, last, prompt: [1] * len(m) if m else m),
        SYNC,
    ),
    Mutant(
        "mask_wide",
        "058",
        "a mask covers what was sampled",
        _mask(lambda m, last, prompt: m + [0] * last.sampled if m else m),
        SYNC,
        ("055",),
    ),
    Mutant(
        "mask_clamped",
        "059",
        "a negative length is taken for none",
        after(response_mask, "count_inserted", lambda n: max(n, 0)),
        SYNC,
    ),
    Mutant(
        "mask_empty", "060", "nothing inserted is an empty list", _mask(lambda m, last, prompt: m or []), SYNC, ("054",)
    ),
    Mutant("mask_anyway", "061", "a mask in the callback dialect", _body(_with(response_mask=[0, 0])), CALLBACK),
    Mutant(
        "asks_late",
        "064",
        "a call after the end",
        around(agent, "run", _late),
        CALLBACK,
        (
            "112",
            "114",
            "113",
            "065",
            "117",
            "148",
            "149",
            "151",
            "152",
            "154",
            "205",
            "033",
            "048",
            "069",
            "078",
            "079",
            "093",
            "097",
            "098",
            "101",
            "109",
            "111",
            "115",
            "130",
            "131",
            "159",
            "160",
            "203",
            "166",
            "168",
            "084",
            "087",
        ),
    ),
    Mutant("one_more_turn", "065", "one turn too many", around(agent, "run", _one_more), BOTH, ("113", "033")),
    Mutant(
        "null_calls",
        "069",
        "tool_calls null is a failure",
        _raw(lambda raw: "tool_calls" in _message(raw) and _message(raw)["tool_calls"] is None),
    ),
    Mutant(
        "usage_null",
        "072",
        "usage null is a failure",
        _raw(lambda raw: "usage" in raw and raw["usage"] is None),
        CALLBACK,
    ),
    Mutant("ids_always", "073", "token ids are demanded", _raw(lambda raw: "token_ids" not in raw), CALLBACK),
    Mutant(
        "ids_never",
        "074",
        "token ids are not demanded",
        around(
            generation,
            "check",
            lambda o, raw, start: (
                wire.ChatReply.model_validate(raw)
                if isinstance(raw, dict) and raw.get("choices") and "message" in raw["choices"][0]
                else o(raw, start)
            ),
        ),
        SYNC,
        ("075", "077", "062"),
    ),
    Mutant(
        "anything_goes",
        "076",
        "a reply that is none is an empty answer",
        around(generation, "read", _lenient),
        BOTH,
        ("074", "075", "077", "123", "113", "116", "117", "130", "131"),
    ),
    Mutant("no_news", "078", "unknown members of a reply are a failure", _raw(lambda raw: "x_version" in raw)),
    Mutant("last_choice", "079", "the last choice is taken", around(generation, "check", _last_choice), BOTH, ("117",)),
    Mutant("length_is_stop", "080", "a cut reply is a natural end", put(agent, "was_cut", lambda reply: False), BOTH),
    Mutant(
        "cut_call_runs",
        "081",
        "a cut call is mended and run",
        _mend_cut_calls,
        BOTH,
        ("080",),
    ),
    Mutant(
        "retries_4xx",
        "083",
        "a refused call is repeated",
        put(retry, "should_retry", lambda status: status is None or status >= 400),
        CALLBACK,
        ("137", "140", "124", "121", "122", "119"),
    ),
    Mutant(
        "never_retries",
        "084",
        "a failed call is not repeated",
        put(Kit, "generation_policy", _no_retries),
        CALLBACK,
        ("087", "111", "085", "068", "201", "086", "088"),
    ),
    Mutant(
        "retries_differ",
        "086",
        "a repeated call has another body",
        put(trainer_client.TrainerClient, "post", _growing),
        CALLBACK,
    ),
    Mutant(
        "one_category",
        "089",
        "429 is a client error",
        around(errors, "category_of", lambda o, status: "trainer_client_error" if status == 429 else o(status)),
        SYNC,
    ),
    Mutant(
        "network_internal",
        "090",
        "a broken connection is an internal error",
        put(errors, "network", errors.internal),
        SYNC,
    ),
    Mutant(
        "one_lost",
        "093",
        "the last of several results is lost",
        _results(lambda calls, made: made[:-1] if len(made) > 1 else made),
        CALLBACK,
        ("117", "104", "095", "107", "009", "100", "102", "103", "109", "105", "094", "097"),
    ),
    Mutant(
        "wrong_call_id",
        "094",
        "results name another call",
        _results(lambda calls, made: [{**m, "tool_call_id": f"{m['tool_call_id']}x"} for m in made]),
    ),
    Mutant(
        "backwards",
        "095",
        "results come in reverse",
        _results(lambda calls, made: made[::-1]),
        BOTH,
        ("104", "105", "009", "097", "100"),
    ),
    Mutant(
        "numbers",
        "096",
        "numbers are sent as numbers",
        _results(lambda calls, made: [_numbered(m) for m in made]),
        CALLBACK,
        ("009", "071", "095", "097", "104", "105", "048", "049", "100", "101", "112"),
    ),
    Mutant(
        "unknown_fatal",
        "097",
        "an unknown tool ends the rollout",
        around(tools, "find", _fatal),
        BOTH,
        ("107", "103", "109", "055", "057", "123", "106"),
    ),
    Mutant(
        "bad_json_fatal",
        "098",
        "bad arguments end the rollout",
        around(tools, "read_arguments", _fatal),
        BOTH,
        ("102", "081"),
    ),
    Mutant("shows_python", "099", "an error shows the inside", around(tools, "check_arguments", _pythonic)),
    Mutant(
        "strings_count",
        "100",
        "strings are calculated with",
        around(tools, "is_type", lambda o, value, name: isinstance(value, str) or o(value, name)),
    ),
    Mutant("zero_is_fine", "101", "dividing by zero gives zero", lambda: _divide(lambda a, b: a / b if b else 0)),
    Mutant(
        "infinite", "102", "a product too large is inf", around(tools, "render_number", lambda o, value: str(value))
    ),
    Mutant("plain_errors", "103", "errors are not marked", put(tools, "error_content", lambda message: message)),
    Mutant(
        "mixed_arguments",
        "104",
        "all calls get the first one's arguments",
        around(tools, "run_calls", _mixed),
        BOTH,
        ("009", "095", "100", "102", "103", "105", "109", "107", "097", "101", "099"),
    ),
    Mutant(
        "ids_unique", "105", "calls of one id are answered once", around(tools, "run_calls", _unique), BOTH, ("093",)
    ),
    Mutant("hidden_tool", "107", "a tool that is not shown runs", around(tools, "find", _power)),
    Mutant("stranger", "159", "a call names another rollout", _body(_stranger)),
)


def _divide(run: Any) -> None:
    made = tuple(replace(t, run=run) if t.name == "divide" else t for t in calculator.TOOLS)
    put(calculator, "TOOLS", made)()
