"""Defects of tool calls and their results."""

import ast
import asyncio
import contextlib
import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rollout_conformance.rollout_server.mutants.dialects import CALLBACK, LEASED, ROUTED
from rollout_conformance.rollout_server.mutants.framework import Mutant, around, put
from rollout_conformance.rollout_server.mutants.rollout.patches import (
    after_retries,
    behind_results,
    change_metrics,
    newest_attempt,
)
from rollout_conformance.rollout_server.rollout import (
    agent,
    generation,
    tools,
)
from rollout_conformance.rollout_server.rollout.tools import ToolError, calculator


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


def _named(change: Callable[[str], str]) -> Any:
    """Find a tool by another form of the name."""
    return around(tools, "find", lambda original, box, name: original(box, change(name)))


def _read(change: Callable[[str], Any]) -> Any:
    """Read arguments that are not JSON in another way; what cannot be read so either is the error that it was."""

    def read(original: Any, arguments: Any) -> Any:
        try:
            return original(arguments)
        except ToolError:
            with contextlib.suppress(ValueError, SyntaxError):
                return change(arguments)
            raise

    return around(tools, "read_arguments", read)


def _read_twice(original: Any, arguments: Any) -> Any:
    found = original(arguments)
    return original(found) if isinstance(found, str) and found.startswith("{") else found


def _errors_last(calls: Any, made: Any) -> Any:
    return sorted(made, key=lambda message: str(message["content"]).startswith("Error"))


async def _sixteen(original: Any, box: Any, calls: Any) -> Any:
    return await original(box, calls[:16])


def _fatal(original: Any, *arguments: Any) -> Any:
    try:
        return original(*arguments)
    except ToolError as error:
        raise RuntimeError("planted") from error


def _pythonic(original: Any, tool: Any, arguments: Any) -> Any:
    if not isinstance(arguments, dict):
        return f"TypeError: {tool.run.__qualname__}() argument after ** must be a mapping"
    return original(tool, arguments)


def _divide(run: Any) -> None:
    made = tuple(replace(t, run=run) if t.name == "divide" else t for t in calculator.TOOLS)
    put(calculator, "TOOLS", made)()


async def _runs_tools_again(original: Any, rollout: Any, request: Any, app_state: Any) -> Any:
    answer = await original(rollout, request, app_state)
    if newest_attempt.get() > 1:
        calls = [call for message in rollout.history for call in message.get("tool_calls") or []]
        await agent.run_tools(rollout, calls, app_state)
    return answer


def _lost_in_long_names(original: Any, raw: Any, start: Any) -> Any:
    message = ((raw.get("choices") or [{}])[0] or {}).get("message") if isinstance(raw, dict) else None
    for call in (message or {}).get("tool_calls") or []:
        if not 0 < len(str(call.get("id", ""))) <= 256 or not 0 < len(str(call["function"].get("name", ""))) <= 256:
            raise asyncio.CancelledError
    return original(raw, start)


async def _runs_tools_all_the_same(original: Any, rollout: Any, app_state: Any) -> str:
    reason = str(await original(rollout, app_state))
    calls = rollout.history[-1].get("tool_calls")
    if reason == "max_tokens" and calls:
        rollout.history = agent.with_results(rollout.history, await agent.run_tools(rollout, calls, app_state))
    return reason


async def _deaf(original: Any, box: Any, name: str, arguments: Any) -> Any:
    if name == "wait":
        end = time.monotonic() + 8
        while time.monotonic() < end:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(end - time.monotonic())
    return await original(box, name, arguments)


MUTANTS = (
    Mutant(
        "one_lost",
        breaks="093",
        also=("117", "104", "095", "107", "009", "100", "102", "103", "109", "105", "094", "097"),
        what="the last of several results is lost",
        patch=_results(lambda calls, made: made[:-1] if len(made) > 1 else made),
        dialects=CALLBACK,
    ),
    Mutant(
        "results_repeated",
        breaks="093",
        also=("117", "104", "095", "107", "009", "100", "102", "103", "109", "105", "094", "097", "244"),
        what="every result but the last of several is appended again",
        patch=_results(lambda calls, made: [*made[:-1], *made] if len(made) > 1 else made),
        dialects=CALLBACK,
    ),
    Mutant(
        "notices_as_turns",
        breaks="290",
        what="a notice with role assistant follows the results of tools",
        patch=behind_results({"role": "assistant", "content": "I have the results of my tools."}),
        dialects=(*CALLBACK, *ROUTED, *LEASED),
    ),
    Mutant(
        "wrong_call_id",
        breaks="094",
        what="results have the id of another call",
        patch=_results(lambda calls, made: [{**m, "tool_call_id": f"{m['tool_call_id']}x"} for m in made]),
    ),
    Mutant(
        "backwards",
        breaks="095",
        also=("104", "105", "009", "097", "100"),
        what="results come in reverse",
        patch=_results(lambda calls, made: made[::-1]),
    ),
    Mutant(
        "numbers",
        breaks="096",
        also=("009", "071", "093", "095", "097", "104", "105", "048", "049", "100", "101", "112", "244"),
        what="numeric results are sent as numbers",
        patch=_results(lambda calls, made: [_numbered(m) for m in made]),
        dialects=CALLBACK,
    ),
    Mutant(
        "unknown_fatal",
        breaks="097",
        also=("107", "103", "109", "055", "057", "123", "106"),
        what="an unknown tool ends the rollout",
        patch=around(tools, "find", _fatal),
    ),
    Mutant(
        "bad_json_fatal",
        breaks="098",
        also=("102", "081"),
        what="bad arguments end the rollout",
        patch=around(tools, "read_arguments", _fatal),
    ),
    Mutant(
        "shows_python",
        breaks="099",
        what="an error message exposes Python internals",
        patch=around(tools, "check_arguments", _pythonic),
    ),
    Mutant(
        "strings_count",
        breaks="100",
        what="strings are accepted as numbers",
        patch=around(tools, "is_type", lambda o, value, name: isinstance(value, str) or o(value, name)),
    ),
    Mutant(
        "zero_is_fine",
        breaks="101",
        what="division by zero returns zero",
        patch=lambda: _divide(lambda a, b: a / b if b else 0),
    ),
    Mutant(
        "infinite",
        breaks="102",
        what="a product too large is rendered as inf",
        patch=around(tools, "render_number", lambda o, value: str(value)),
    ),
    Mutant(
        "plain_errors",
        breaks="103",
        what="error results have no prefix",
        patch=put(tools, "error_content", lambda message: message),
    ),
    Mutant(
        "mixed_arguments",
        breaks="104",
        also=("009", "095", "100", "102", "103", "105", "109", "107", "097", "101", "099"),
        what="all calls get the arguments of the first",
        patch=around(tools, "run_calls", _mixed),
    ),
    Mutant(
        "ids_unique",
        breaks="105",
        also=("093",),
        what="calls with equal ids get one result",
        patch=around(tools, "run_calls", _unique),
    ),
    Mutant(
        "lost_in_names",
        breaks="106",
        also=("125", "136", "240", "244"),
        what="an empty name loses the rollout",
        patch=around(generation, "check", _lost_in_long_names),
    ),
    Mutant(
        "hidden_tool", breaks="107", what="a tool that is not listed can be called", patch=around(tools, "find", _power)
    ),
    Mutant(
        "names_ignore_case",
        breaks="107",
        also=("097",),
        what="a name in capitals runs the tool that has it in small letters",
        patch=_named(str.lower),
    ),
    Mutant(
        "names_lose_namespace",
        breaks="107",
        also=("097",),
        what="`functions.add` runs `add`",
        patch=_named(lambda name: name.removeprefix("functions.")),
    ),
    Mutant(
        "names_guessed",
        breaks="107",
        also=("097",),
        what="a name that begins with that of a tool runs it",
        patch=_named(lambda name: "add" if name.startswith("add") else name),
    ),
    Mutant(
        "commas_forgiven",
        breaks="289",
        what="a comma before the closing brace of arguments is removed",
        patch=_read(lambda text: json.loads(re.sub(r",\s*}", "}", text))),
    ),
    Mutant(
        "python_read",
        breaks="289",
        what="arguments that are no JSON are read as a literal of Python",
        patch=_read(ast.literal_eval),
    ),
    Mutant(
        "code_block_read",
        breaks="289",
        what="arguments in a block of code are read",
        patch=_read(lambda text: json.loads(re.sub(r"^```(json)?|```$", "", text.strip()))),
    ),
    Mutant(
        "text_after_ignored",
        breaks="289",
        what="text after the arguments is ignored",
        patch=_read(lambda text: json.JSONDecoder().raw_decode(text)[0]),
    ),
    Mutant(
        "encoded_twice_read",
        breaks="289",
        what="arguments that are JSON in a string of JSON are read",
        patch=around(tools, "read_arguments", _read_twice),
    ),
    Mutant(
        "errors_last",
        breaks="095",
        also=("104", "105", "009", "097", "100", "103", "107"),
        what="the errors of a turn come after its results",
        patch=_results(_errors_last),
    ),
    Mutant(
        "sixteen_calls",
        breaks="093",
        also=("095",),
        what="of more than sixteen calls of a turn the rest is not run",
        patch=around(tools, "run_calls", _sixteen),
    ),
    Mutant(
        "deaf_tool",
        breaks="108",
        also=("064", "112", "136"),
        what="a tool ignores its timeout",
        patch=around(tools, "execute", _deaf),
    ),
    Mutant(
        "tools_uncounted",
        breaks="109",
        what="tool calls are not counted",
        patch=change_metrics(lambda m: {**m, "num_tool_calls": 0}),
    ),
    Mutant(
        "tools_over_budget",
        breaks="110",
        what="tools run after the token budget is exhausted",
        patch=around(agent, "run", _runs_tools_all_the_same),
    ),
    Mutant(
        "tools_again",
        breaks="111",
        what="a retry runs the tools again",
        patch=after_retries(_runs_tools_again),
        dialects=CALLBACK,
    ),
)
