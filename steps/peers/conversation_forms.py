"""The forms in which a trainer may hand one conversation to its chat template.

Inference servers give a template the arguments of calls as objects, and the content of a message without text as "" or not at all: most
templates render all of these as the same text, and those that do not would write the word None.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import product

from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.lenient_json import JsonObject, mapping, mappings
from rollout_conformance.steps.engine.trace import parse
from rollout_conformance.steps.peers.tokens import Tokens

Form = Callable[[JsonObject], JsonObject]


def other_forms(tokens: Tokens, messages: Sequence[object], tools: Sequence[object]) -> Iterator[str]:
    """The texts of a conversation in the forms that the chat template renders, the one in which it was sent among them."""
    for of_content, of_calls in product((_same, _empty, _absent), (_same, _with_objects)):
        formed = [of_calls(of_content(message)) for message in mappings(messages)]
        try:
            yield tokens.render(formed, tools)
        except SuiteError:
            continue


def _same(message: JsonObject) -> JsonObject:
    return message


def _empty(message: JsonObject) -> JsonObject:
    return {**message, "content": ""} if message.get("content") is None else message


def _absent(message: JsonObject) -> JsonObject:
    return {name: value for name, value in message.items() if value is not None}


def _with_objects(message: JsonObject) -> JsonObject:
    """Arguments that are a JSON object as text are that object."""
    calls = message.get("tool_calls")
    return {**message, "tool_calls": [_with_object(call) for call in mappings(calls)]} if calls else message


def _with_object(call: JsonObject) -> JsonObject:
    function = mapping(call.get("function"))
    arguments = function.get("arguments")
    read = parse(arguments.encode("utf-8", "replace")) if isinstance(arguments, str) else arguments
    return {**call, "function": {**function, "arguments": read}} if isinstance(read, dict) else call
