"""The next message: a pure function of the conversation and of random `words`, which are empty for greedy decoding.

It calculates with tools (`common/calculator_policy.py`), knows a capital, counts, and follows `tool_choice` and
`response_format`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from rollout_conformance.rollout_server.common import calculator_policy
from rollout_conformance.rollout_server.inference import chat_prompt
from rollout_conformance.rollout_server.inference.schema_sampler import smallest_value
from rollout_conformance.rollout_server.inference.wire import ChatRequest, Named

CAPITAL = re.compile(r"capital of France", re.IGNORECASE)
COUNT = re.compile(r"count from (\d+) to (\d+)", re.IGNORECASE)
FARTHEST = 10_000  # numbers in one reply: more than fit into any context


def next_message(request: ChatRequest, words: str) -> dict[str, Any]:
    """The next message of the assistant."""
    if (mode := chat_prompt.mode(request)) in ("required", "named"):
        return forced_calls(request, mode)
    message = first_call_if_serial(request, reply_to_question(request))
    content = message["content"]
    if words:
        content = words if content == calculator_policy.ONLY_CALCULATES else f"{content} {words}"
    return message | {"content": in_response_format(request, content)}


def reply_to_question(request: ChatRequest) -> dict[str, Any]:
    question = last_question(request)
    if CAPITAL.search(question):
        return calculator_policy.assistant_message("Paris")
    if count := COUNT.search(question):
        return calculator_policy.assistant_message(count_up(*(int(digits[:9]) for digits in count.groups())))
    return calculator_policy.reply(request.messages, chat_prompt.visible_tools(request), "call")


def first_call_if_serial(request: ChatRequest, message: dict[str, Any]) -> dict[str, Any]:
    """With `parallel_tool_calls` false only the first of several calls is made."""
    if request.parallel_tool_calls is False and message.get("tool_calls"):
        return message | {"tool_calls": message["tool_calls"][:1]}
    return message


def last_question(request: ChatRequest) -> str:
    """The last message if it is the user's: after a tool result there is no question."""
    last: Mapping[str, Any] = request.messages[-1] if request.messages else {}
    return calculator_policy.text(last) if last.get("role") == "user" else ""


def count_up(first: int, last: int) -> str:
    return " ".join(str(number) for number in range(first, min(last, first + FARTHEST) + 1))


def in_response_format(request: ChatRequest, content: str) -> str:
    form = request.response_format
    if form is None or form.type == "text":
        return content
    if form.type == "json_schema" and form.json_schema:
        return json.dumps(smallest_value(form.json_schema.body, numbers(request)), ensure_ascii=False)
    return json.dumps({"answer": content}, ensure_ascii=False)


def forced_calls(request: ChatRequest, mode: str) -> dict[str, Any]:
    """Calls without content: nothing else can be sampled when a call is required."""
    tools = [tool for tool in request.tools or () if mode == "required" or tool["function"]["name"] == name(request)]
    calls = [*calculator_policy.calls_for(question(request), calculator_policy.tool_names(tools))] or [
        invented_call(request, tools[0])
    ]
    if mode == "named" or request.parallel_tool_calls is False:
        calls = calls[:1]
    return calculator_policy.assistant_message("") | {
        "tool_calls": [calculator_policy.call(f"call_{n}", *one) for n, one in enumerate(calls)]
    }


def name(request: ChatRequest) -> str | None:
    return request.tool_choice.function.name if isinstance(request.tool_choice, Named) else None


def invented_call(request: ChatRequest, tool: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """A call that the question does not ask for: numbers of the question, else a small value of the schema."""
    value = smallest_value(tool["function"].get("parameters") or {"type": "object"}, numbers(request))
    return tool["function"]["name"], value if isinstance(value, dict) else {}


def question(request: ChatRequest) -> str:
    texts = [calculator_policy.text(m) for m in request.messages if m.get("role") == "user"]
    return texts[-1] if texts else ""


def numbers(request: ChatRequest) -> Iterator[float]:
    return iter(
        [calculator_policy.number(digits) for digits in re.findall(calculator_policy.NUMBER, question(request))]
    )
