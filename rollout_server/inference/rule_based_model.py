"""What the engine says. It is a pure function of the conversation and of `words`, which are none when decoding is greedy.

The policy of the trainer calculates; here it also knows a capital, counts, and obeys `tool_choice` and `response_format`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from rollout_conformance.rollout_server.common import calculator_policy
from rollout_conformance.rollout_server.inference import chat_prompt
from rollout_conformance.rollout_server.inference.schema_sampler import smallest
from rollout_conformance.rollout_server.inference.wire import ChatRequest, Named

CAPITAL = re.compile(r"capital of France", re.IGNORECASE)
COUNT = re.compile(r"count from (\d+) to (\d+)", re.IGNORECASE)
FARTHEST = 10_000  # numbers in one reply: more than any context holds


def message(request: ChatRequest, words: str) -> dict[str, Any]:
    """The next message of the assistant, with `words` of its own choice."""
    if (mode := chat_prompt.mode(request)) in ("required", "named"):
        return forced(request, mode)
    said = one_by_one(request, spoken(request))
    content = said["content"]
    if words:
        content = words if content == calculator_policy.NOTHING else f"{content} {words}"
    return said | {"content": formatted(request, content)}


def spoken(request: ChatRequest) -> dict[str, Any]:
    question = asked(request)
    if CAPITAL.search(question):
        return calculator_policy.say("Paris")
    if count := COUNT.search(question):
        return calculator_policy.say(counted(*(int(digits[:9]) for digits in count.groups())))
    return calculator_policy.reply(request.messages, chat_prompt.shown(request), "call")


def one_by_one(request: ChatRequest, said: dict[str, Any]) -> dict[str, Any]:
    """Where calls may not be parallel, the first of several is the only one."""
    if request.parallel_tool_calls is False and said.get("tool_calls"):
        return said | {"tool_calls": said["tool_calls"][:1]}
    return said


def asked(request: ChatRequest) -> str:
    """The last message if it is the user's: after a tool result there is nothing more to ask."""
    last: Mapping[str, Any] = request.messages[-1] if request.messages else {}
    return calculator_policy.text(last) if last.get("role") == "user" else ""


def counted(first: int, last: int) -> str:
    return " ".join(str(number) for number in range(first, min(last, first + FARTHEST) + 1))


def formatted(request: ChatRequest, content: str) -> str:
    form = request.response_format
    if form is None or form.type == "text":
        return content
    if form.type == "json_schema" and form.json_schema:
        return json.dumps(smallest(form.json_schema.body, numbers(request)), ensure_ascii=False)
    return json.dumps({"answer": content}, ensure_ascii=False)


def forced(request: ChatRequest, mode: str) -> dict[str, Any]:
    """Calls without a word: nothing else can be sampled when a call is required."""
    tools = [tool for tool in request.tools or () if mode == "required" or tool["function"]["name"] == name(request)]
    calls = [*calculator_policy.wanted(question(request), calculator_policy.declared(tools))] or [
        made_up(request, tools[0])
    ]
    if mode == "named" or request.parallel_tool_calls is False:
        calls = calls[:1]
    return calculator_policy.say("") | {
        "tool_calls": [calculator_policy.call(f"call_{n}", *one) for n, one in enumerate(calls)]
    }


def name(request: ChatRequest) -> str | None:
    return request.tool_choice.function.name if isinstance(request.tool_choice, Named) else None


def made_up(request: ChatRequest, tool: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Arguments for a tool that nobody asked for: numbers as they were said, whatever the schema wants else."""
    value = smallest(tool["function"].get("parameters") or {"type": "object"}, numbers(request))
    return tool["function"]["name"], value if isinstance(value, dict) else {}


def question(request: ChatRequest) -> str:
    texts = [calculator_policy.text(m) for m in request.messages if m.get("role") == "user"]
    return texts[-1] if texts else ""


def numbers(request: ChatRequest) -> Iterator[float]:
    return iter(
        [calculator_policy.number(digits) for digits in re.findall(calculator_policy.NUMBER, question(request))]
    )
