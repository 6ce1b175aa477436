"""The sentences that send requests: they end in modifiers, or repeat and continue an earlier request. All others are phrases of verbs.

`before` are the actions of the lines above a sentence.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pytest_bdd import parsers, when

from rollout_conformance.steps.engine import yaml_source
from rollout_conformance.steps.engine.below_sentence import RowError, below
from rollout_conformance.steps.engine.cases import Action
from rollout_conformance.steps.engine.phrase_types import ORDINALS, TYPES
from rollout_conformance.steps.engine.verbs import verb_of
from rollout_conformance.steps.http.references import requests_of
from rollout_conformance.steps.http.requests import Send
from rollout_conformance.steps.http.responses import meant
from rollout_conformance.steps.profiles.chat.phrase_modifiers import HOW, of_chat, of_request
from rollout_conformance.steps.profiles.chat.requests import ChatRequest

Actions = tuple[Action, ...]
CLIENT = "the client"
ONCE: Mapping[str, Any] = {"name": "", "times": 1, "concurrent": True, "distinct_seeds": False, "disconnect_after": 0}
OF = TYPES["response"].pattern


def _chat(**members: object) -> ChatRequest:
    made = verb_of(ChatRequest).build(members)
    assert isinstance(made, ChatRequest)
    return made


def _last(before: Actions) -> ChatRequest:
    found = next((action for action in reversed(before) if isinstance(action, ChatRequest)), None)
    if found is None:
        raise ValueError('there is no chat request before this one. Begin with: When the client sends "Hello!"')
    return found


def _again(earlier: ChatRequest, given: Mapping[str, Any]) -> ChatRequest:
    """An earlier request once more, a single time, with what is different now."""
    changed = {**given, "body": {**earlier.body, **given.get("body", {})}}
    made = _chat(**changed)
    return replace(earlier, **{**ONCE, **{name: getattr(made, name) for name in changed}})


def _continued(earlier: ChatRequest, before: Actions, given: Mapping[str, Any]) -> ChatRequest:
    """The next request of the conversation of an earlier one."""
    if earlier.times > 1:
        raise ValueError(
            f"the request was sent {earlier.times} times: which of the responses is continued is not clear"
        )
    fresh = {"user": "", "messages": [], "exceeds_context": False, "fills_context": False}
    return _again(earlier, {**fresh, "continues": _word_for(earlier, before), **given})


def _word_for(request: ChatRequest, before: Actions) -> str:
    """The word that means the response to an earlier request."""
    order = requests_of(before)
    at = next(n for n, action in enumerate(before) if action is request)
    name = requests_of(before[: at + 1])[-1]
    return request.name or ("it" if name == order[-1] else ORDINALS[order.index(name)])


# ------------------------------------------------------------------------------------------------ chat requests


@when(parsers.re(rf'{CLIENT} sends "(?P<text>[^"]*)"{HOW}'))
def sends(text: str, how: str) -> Action:
    return _chat(user=text, **of_chat(how))


@when(parsers.re(rf'{CLIENT} sends "(?P<text>[^"]*)"{HOW} with these members:'))
@below(
    """
    max_tokens: 8
    stop: ["."]
    """
)
def sends_with(text: str, how: str, docstring: str) -> Action:
    given = of_chat(how)
    body = {**given.pop("body", {}), **yaml_source.members(docstring)}
    return _chat(user=text, body=body, **given)


@when(parsers.re(rf"{CLIENT} sends more tokens than the model takes{HOW}"))
def sends_too_much(how: str) -> Action:
    return _chat(exceeds_context=True, **of_chat(how))


@when(parsers.re(rf"{CLIENT} sends this conversation{HOW}:"))
@below(
    """
    | system | You repeat what you are told. |
    | user   | Repeat after me: hello        |
    """
)
def sends_conversation(how: str, datatable: list[list[str]]) -> Action:
    for n, row in enumerate(datatable):
        if len(row) != 2:
            told = "a row is the role and the content of a message, as | user | Hello! |"
            raise RowError(n, f"{told}; seen: | {' | '.join(row)} |")
        if n == 0 and [cell.lower() for cell in row] == ["role", "content"]:
            raise RowError(n, "this table has no header row. Begin with the first message: | user | Hello! |")
    return _chat(messages=[{"role": role, "content": content} for role, content in datatable], **of_chat(how))


@when(parsers.re(rf"{CLIENT} sends these messages{HOW}:"))
@below(
    """
    - {role: user, content: Hello!}
    - {role: assistant, content: Hi.}
    - {role: user, content: Repeat it.}
    """
)
def sends_messages(how: str, docstring: str) -> Action:
    return _chat(messages=_yaml(docstring), **of_chat(how))


@when(parsers.re(rf"{CLIENT} sends this invented history{HOW}:"))
@below(
    """
    - {role: user, content: Please calculate 5 plus 3.}
    - {role: assistant, content: null, tool_calls: [{id: c1, type: function, function: {name: add, arguments: '{"a": 5, "b": 3}'}}]}
    - {role: tool, tool_call_id: c1, content: "8"}
    """
)
def sends_invented_history(how: str, docstring: str) -> Action:
    return _chat(messages=_yaml(docstring), invented_history=True, **of_chat(how))


@when(parsers.re(rf"{CLIENT} sends the same request(?: again)?{HOW}"))
def sends_again(how: str, before: Actions) -> Action:
    return _again(_last(before), of_chat(how))


@when(parsers.re(rf'{CLIENT} continues with "(?P<text>[^"]*)"{HOW}'))
def continues(text: str, how: str, before: Actions) -> Action:
    return _continued(_last(before), before, {"user": text, **of_chat(how)})


@when(parsers.re(rf'{CLIENT} continues (?P<of>{OF}) with "(?P<text>[^"]*)"{HOW}'))
def continues_response(of: str, text: str, how: str, before: Actions) -> Action:
    word = TYPES["response"].convert(of)
    names = meant(word, requests_of(before))
    named = {requests_of(before[: n + 1])[-1]: one for n, one in enumerate(before) if isinstance(one, ChatRequest)}
    if not names or names[0] not in named:
        raise ValueError(f"{of} is no response to a chat request, and no conversation can be continued from it")
    return _continued(named[names[0]], before, {"user": text, **of_chat(how)})


@when(parsers.re(rf"{CLIENT} sends the tool results{HOW}"))
def sends_tool_results(how: str, before: Actions) -> Action:
    return _continued(_last(before), before, of_chat(how))


# ------------------------------------------------------------------------------------------------ any other request


@when(parsers.re(rf"{CLIENT} sends (?P<method>[A-Z]+) (?P<path>/\S*){HOW}"))
def sends_request(method: str, path: str, how: str) -> Action:
    return _request(method, path, how)


@when(parsers.re(rf"{CLIENT} sends (?P<method>[A-Z]+) (?P<path>/\S*){HOW} with this body:"))
@below('{"model": "rc-model", "messages": "Hello!"}')
def sends_body(method: str, path: str, how: str, docstring: str) -> Action:
    return _request(method, path, how, raw=docstring)


def _request(method: str, path: str, how: str, **more: object) -> Action:
    return verb_of(Send).build({"path": path, "method": method, **more, **of_request(how)})


def _yaml(docstring: str) -> Any:
    return yaml_source.parse(docstring, yaml_source.BLOCK).value
