"""The built-in policy: it calls a tool for each expression in the question, and replies with the results."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from rollout_conformance.rollout_server.common.chat_tokenizer import Messages, Tools

# Possessive quantifiers and the lookbehind keep the search linear: a question may be a megabyte.
NUMBER = r"((?:-|(?<!\d))\d{1,300}+(?:\.\d{1,300}+)?+)"
WORDS = {"plus": "add", "minus": "subtract", "times": "multiply", "divided by": "divide"}
CURRENT = re.compile(r"what is the current (\w+)", re.IGNORECASE)  # a tool `current_time` or so, without arguments
EXPRESSION = re.compile(rf"{NUMBER} ({'|'.join(WORDS)}) {NUMBER}")
CALLS = "I'll calculate that for you."
ONLY_CALCULATES = "I can calculate, and nothing else."


def reply(messages: Messages, tools: Tools, call_id: str) -> dict[str, Any]:
    """The next message of the assistant. The ids of its calls begin with `call_id`."""
    last = messages[-1] if messages else {}
    if last.get("role") in ("tool", "function"):
        return assistant_message(results_sentence(messages))
    calls = [*calls_for(text(last), tool_names(tools))] if last.get("role") == "user" else []
    if not calls:
        return assistant_message(ONLY_CALCULATES)
    return assistant_message(CALLS) | {"tool_calls": [call(f"{call_id}_{n}", *one) for n, one in enumerate(calls)]}


def assistant_message(content: str) -> dict[str, Any]:
    return {"role": "assistant", "content": content}


def call(id: str, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}


def calls_for(question: str, names: set[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Tool and arguments for each expression, where such a tool is declared."""
    for a, word, b in EXPRESSION.findall(question):
        if WORDS[word] in names:
            yield WORDS[word], {"a": number(a), "b": number(b)}
    for name in CURRENT.findall(question):
        if f"current_{name}" in names:
            yield f"current_{name}", {}


def tool_names(tools: Tools) -> set[str]:
    return {str(tool["function"]["name"]) for tool in tools or ()}


def results_sentence(messages: Messages) -> str:
    """A sentence with the tool results at the end of the conversation."""
    results: list[str] = []
    for message in reversed(messages):
        if message.get("role") not in ("tool", "function"):
            break
        results.insert(0, text(message))
    return f"The result is {results[0]}." if len(results) == 1 else f"The results are {' and '.join(results)}."


def text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content)
    return content if isinstance(content, str) else ""


def number(digits: str) -> int | float:
    return float(digits) if "." in digits else int(digits)
